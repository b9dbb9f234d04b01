//! `wasi:clocks`: the virtual clock, which a sleep moves and no time of ours does.

use super::{call::Call, interface::interface, poll::Pollable, types::Datetime};
use crate::stop::Stop;
use wasmtime::component::Resource;

interface! { MONOTONIC = "wasi:clocks/monotonic-clock" {
    call plain "now" => monotonic_now();
    call plain "resolution" => monotonic_resolution();
    call plain "subscribe-instant" => subscribe_instant(at_ns: u64);
    call plain "subscribe-duration" => subscribe_duration(for_ns: u64);
}}

interface! { WALL = "wasi:clocks/wall-clock" {
    call plain "now" => wall_now();
    call plain "resolution" => wall_resolution();
}}

impl Call<'_> {
    fn now_ns(&self) -> u64 {
        self.world.now_ns(&self.meter)
    }

    fn monotonic_now(&mut self) -> Result<u64, Stop> {
        Ok(self.now_ns())
    }

    fn monotonic_resolution(&mut self) -> Result<u64, Stop> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, at_ns: u64) -> Result<Resource<Pollable>, Stop> {
        self.push(Pollable::At(at_ns))
    }

    fn subscribe_duration(&mut self, for_ns: u64) -> Result<Resource<Pollable>, Stop> {
        let at_ns = self.now_ns().saturating_add(for_ns);
        self.push(Pollable::At(at_ns))
    }

    fn wall_now(&mut self) -> Result<Datetime, Stop> {
        Ok(Datetime::from_ns(self.now_ns()))
    }

    fn wall_resolution(&mut self) -> Result<Datetime, Stop> {
        Ok(Datetime::from_ns(1))
    }
}
