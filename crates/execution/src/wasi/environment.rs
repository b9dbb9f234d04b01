//! Calls about arguments, time, randomness, and what does not exist here.

use super::{
    call::Call,
    cost,
    errno::{Answer, Errno},
};

impl Call<'_> {
    pub(crate) fn args_sizes_get(&mut self, count: u32, size: u32) -> Answer {
        let bytes: usize = self.world.args.iter().map(|arg| arg.len() + 1).sum();
        self.memory.put_u32(count, self.world.args.len() as u32)?;
        Ok(self.memory.put_u32(size, bytes as u32)?)
    }

    pub(crate) fn args_get(&mut self, pointers: u32, buffer: u32) -> Answer {
        let bytes: usize = self.world.args.iter().map(|arg| arg.len() + 1).sum();
        self.pay(bytes, 1)?;
        let (mut pointer, mut at) = (pointers, buffer);
        for arg in &self.world.args {
            self.memory.put_u32(pointer, at)?;
            self.memory.put(at, arg.as_bytes())?;
            let end = at.checked_add(arg.len() as u32).ok_or(Errno::Fault)?;
            self.memory.put(end, &[0])?;
            at = end.checked_add(1).ok_or(Errno::Fault)?;
            pointer = pointer.checked_add(4).ok_or(Errno::Fault)?;
        }
        Ok(())
    }

    /// The environment is empty.
    pub(crate) fn environ_sizes_get(&mut self, count: u32, size: u32) -> Answer {
        self.memory.put_u32(count, 0)?;
        Ok(self.memory.put_u32(size, 0)?)
    }

    pub(crate) fn environ_get(&mut self, _pointers: u32, _buffer: u32) -> Answer {
        Ok(())
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
