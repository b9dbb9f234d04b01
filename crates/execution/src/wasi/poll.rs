//! The call that waits. Nothing here ever waits: the virtual clock is moved instead.

use super::{
    call::Call,
    cost,
    errno::{Answer, Errno},
    files::Object,
    memory::{u32_at, u64_at},
};

/// Subscriptions of one call.
const SUBSCRIPTIONS: u32 = 4096;
const SUBSCRIPTION: u32 = 48;
const EVENT: usize = 32;

/// What a guest waits for.
enum Wait {
    Until(u64),
    Read(u32),
    Write(u32),
}

impl Call<'_> {
    /// Files and streams are always ready. If there are only clocks, the time goes on to the
    /// earliest of them.
    pub(crate) fn poll_oneoff(&mut self, from: u32, to: u32, count: u32, result: u32) -> Answer {
        if count == 0 || count > SUBSCRIPTIONS {
            return Err(Errno::Inval.into());
        }
        self.memory.range(to, count * EVENT as u32)?;
        self.memory.range(result, 4)?;
        self.pay(count as usize, cost::ENTRY)?;
        let list = self.memory.range(from, count * SUBSCRIPTION)?;
        let records = self.memory.bytes(list).chunks_exact(SUBSCRIPTION as usize);
        let now_ns = self.world.now_ns(&self.meter);
        let waits = records
            .map(|record| Ok((u64_at(record, 0), wait_of(record, now_ns)?)))
            .collect::<Result<Vec<_>, Errno>>()?;
        let earliest_ns = waits.iter().filter_map(|(_, wait)| match wait {
            Wait::Until(at_ns) => Some(*at_ns),
            _ => None,
        });
        let all_clocks = waits.iter().all(|(_, wait)| matches!(wait, Wait::Until(_)));
        if let (true, Some(at_ns)) = (all_clocks, earliest_ns.min()) {
            self.world.sleep_until(at_ns, &self.meter);
        }
        let mut at = to;
        let mut events = 0;
        for (userdata, wait) in &waits {
            if let Some(event) = self.event_of(*userdata, wait) {
                self.memory.put(at, &event)?;
                at += EVENT as u32;
                events += 1;
            }
        }
        Ok(self.memory.put_u32(result, events)?)
    }

    /// The event of something that is ready.
    fn event_of(&self, userdata: u64, wait: &Wait) -> Option<[u8; EVENT]> {
        let (kind, ready) = match wait {
            Wait::Until(at_ns) if *at_ns <= self.world.now_ns(&self.meter) => (0, Ok(0)),
            Wait::Until(_) => return None,
            Wait::Read(fd) => (1, self.readable(*fd)),
            Wait::Write(fd) => (2, self.world.descriptors.get(*fd).map(|_| 1)),
        };
        let (error, size) = match ready {
            Ok(size) => (0, size),
            Err(errno) => (errno as u16, 0),
        };
        let mut event = [0; EVENT];
        event[..8].copy_from_slice(&userdata.to_le_bytes());
        event[8..10].copy_from_slice(&error.to_le_bytes());
        event[10] = kind;
        event[16..24].copy_from_slice(&size.to_le_bytes());
        Some(event)
    }

    fn readable(&self, fd: u32) -> Result<u64, Errno> {
        match self.world.descriptors.get(fd)? {
            Object::Stdin => Ok(self.world.stdin.len() as u64),
            Object::File(file) => {
                let size = self.world.tree.bytes(file.node).len() as u64;
                Ok(size.saturating_sub(file.offset))
            }
            Object::Stdout | Object::Stderr | Object::Directory(_) => Err(Errno::Badf),
        }
    }
}

fn wait_of(record: &[u8], now_ns: u64) -> Result<Wait, Errno> {
    match record[8] {
        0 => {
            let (clock, time_ns, absolute) =
                (u32_at(record, 16), u64_at(record, 24), record[40] & 1 != 0);
            if clock > 1 {
                return Err(Errno::Notsup);
            }
            Ok(Wait::Until(if absolute { time_ns } else { now_ns.saturating_add(time_ns) }))
        }
        1 => Ok(Wait::Read(u32_at(record, 16))),
        2 => Ok(Wait::Write(u32_at(record, 16))),
        _ => Err(Errno::Inval),
    }
}
