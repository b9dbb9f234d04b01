//! `wasi:random`: one stream of randomness, from the order's seed, behind all three interfaces.

use super::{call::Call, interface::interface};
use crate::{
    stop::Stop,
    wasi::{cost, output::reserve},
};

/// Bytes that one call gives at most.
pub(crate) const BYTES: u64 = 16 << 20;

interface! { RANDOM = "wasi:random/random" {
    call plain "get-random-bytes" => random_bytes(len: u64);
    call plain "get-random-u64" => random_u64();
}}

interface! { INSECURE = "wasi:random/insecure" {
    call plain "get-insecure-random-bytes" => random_bytes(len: u64);
    call plain "get-insecure-random-u64" => random_u64();
}}

interface! { INSECURE_SEED = "wasi:random/insecure-seed" {
    call plain "insecure-seed" => random_seed();
}}

impl Call<'_> {
    fn random_bytes(&mut self, len: u64) -> Result<Vec<u8>, Stop> {
        if len > BYTES {
            return Err(Stop::Breach("too much randomness in one call"));
        }
        let len = len as usize;
        self.pay(len, cost::RANDOM_BYTE)?;
        let mut bytes = Vec::new();
        reserve(&mut bytes, len)?;
        bytes.resize(len, 0);
        self.world.fill_random(&mut bytes);
        Ok(bytes)
    }

    /// The next eight bytes, as a little-endian number: a guest that asks for numbers gets the bytes
    /// that one of preview 1 gets.
    fn random_u64(&mut self) -> Result<u64, Stop> {
        self.pay(8, cost::RANDOM_BYTE)?;
        let mut bytes = [0; 8];
        self.world.fill_random(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn random_seed(&mut self) -> Result<(u64, u64), Stop> {
        Ok((self.random_u64()?, self.random_u64()?))
    }
}
