//! Calls about arguments, time, randomness, and what does not exist here.

use super::{
    call::Call,
    cost,
    errno::{Answer, Errno},
    memory::GuestMemory,
};

impl Call<'_> {
    pub(crate) fn args_sizes_get(&mut self, count: u32, size: u32) -> Answer {
        let sizes = sizes(&self.world.args);
        self.put_sizes(sizes, count, size)
    }

    pub(crate) fn args_get(&mut self, pointers: u32, buffer: u32) -> Answer {
        self.pay(sizes(&self.world.args).1, 1)?;
        put_texts(&mut self.memory, &self.world.args, pointers, buffer)
    }

    pub(crate) fn environ_sizes_get(&mut self, count: u32, size: u32) -> Answer {
        let sizes = sizes(&self.world.env);
        self.put_sizes(sizes, count, size)
    }

    pub(crate) fn environ_get(&mut self, pointers: u32, buffer: u32) -> Answer {
        self.pay(sizes(&self.world.env).1, 1)?;
        put_texts(&mut self.memory, &self.world.env, pointers, buffer)
    }

    fn put_sizes(&mut self, (texts, bytes): (usize, usize), count: u32, size: u32) -> Answer {
        self.memory.put_u32(count, texts as u32)?;
        Ok(self.memory.put_u32(size, bytes as u32)?)
    }

    pub(crate) fn clock_res_get(&mut self, clock: u32, result: u32) -> Answer {
        if clock > 3 {
            return Err(Errno::Inval.into());
        }
        Ok(self.memory.put_u64(result, 1)?)
    }

    /// One virtual clock: it starts at a fixed instant, one unit of fuel is one nanosecond, and a
    /// sleep takes as long as it says. The clocks of process and thread do not count sleeps.
    pub(crate) fn clock_time_get(&mut self, clock: u32, _precision: u64, result: u32) -> Answer {
        let time_ns = match clock {
            0 | 1 => self.world.now_ns(&self.meter),
            2 | 3 => self.world.used_ns(&self.meter),
            _ => return Err(Errno::Inval.into()),
        };
        Ok(self.memory.put_u64(result, time_ns)?)
    }

    pub(crate) fn random_get(&mut self, buffer: u32, len: u32) -> Answer {
        let range = self.memory.range(buffer, len)?;
        self.pay(range.len(), cost::RANDOM_BYTE)?;
        self.world.fill_random(self.memory.bytes_mut(range));
        Ok(())
    }

    pub(crate) fn sched_yield(&mut self) -> Answer {
        Ok(())
    }

    pub(crate) fn proc_raise(&mut self, _signal: u32) -> Answer {
        Err(Errno::Notsup.into())
    }

    pub(crate) fn sock_accept(&mut self, _fd: u32, _flags: u32, _result: u32) -> Answer {
        Err(Errno::Notsup.into())
    }

    pub(crate) fn sock_recv(
        &mut self,
        _fd: u32,
        _buffers: u32,
        _count: u32,
        _flags: u32,
        _size: u32,
        _result: u32,
    ) -> Answer {
        Err(Errno::Notsup.into())
    }

    pub(crate) fn sock_send(
        &mut self,
        _fd: u32,
        _buffers: u32,
        _count: u32,
        _flags: u32,
        _size: u32,
    ) -> Answer {
        Err(Errno::Notsup.into())
    }

    pub(crate) fn sock_shutdown(&mut self, _fd: u32, _how: u32) -> Answer {
        Err(Errno::Notsup.into())
    }
}

/// How many texts, and their bytes with the zero after each.
fn sizes(texts: &[String]) -> (usize, usize) {
    (texts.len(), texts.iter().map(|text| text.len() + 1).sum())
}

/// Writes texts, each with a zero after it, and where each begins.
fn put_texts(memory: &mut GuestMemory<'_>, texts: &[String], pointers: u32, buffer: u32) -> Answer {
    let (mut pointer, mut at) = (pointers, buffer);
    for text in texts {
        memory.put_u32(pointer, at)?;
        memory.put(at, text.as_bytes())?;
        let end = at.checked_add(text.len() as u32).ok_or(Errno::Fault)?;
        memory.put(end, &[0])?;
        at = end.checked_add(1).ok_or(Errno::Fault)?;
        pointer = pointer.checked_add(4).ok_or(Errno::Fault)?;
    }
    Ok(())
}
