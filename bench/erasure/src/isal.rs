//! ISA-L's erasure code, as its header `erasure_code.h` declares it.

use std::ffi::{c_int, c_uchar};

unsafe extern "C" {
    fn gf_gen_cauchy1_matrix(a: *mut c_uchar, m: c_int, k: c_int);
    fn gf_invert_matrix(from: *mut c_uchar, to: *mut c_uchar, n: c_int) -> c_int;
    fn ec_init_tables(k: c_int, rows: c_int, a: *const c_uchar, tables: *mut c_uchar);
    fn ec_encode_data(
        length: c_int,
        k: c_int,
        rows: c_int,
        tables: *mut c_uchar,
        data: *mut *mut c_uchar,
        coded: *mut *mut c_uchar,
    );
}

fn int(number: usize) -> c_int {
    c_int::try_from(number).expect("small")
}

/// Rows of a matrix with the tables that ISA-L makes of them.
pub struct Rows {
    k: usize,
    rows: usize,
    tables: Vec<u8>,
}

impl Rows {
    fn of(k: usize, cells: &[u8]) -> Self {
        let rows = cells.len() / k;
        let mut tables = vec![0; 32 * cells.len()];
        // SAFETY: there are k × rows cells, and 32 bytes of tables for each.
        unsafe { ec_init_tables(int(k), int(rows), cells.as_ptr(), tables.as_mut_ptr()) };
        Self { k, rows, tables }
    }

    /// The parity of a code with `k` data shards of `n`.
    pub fn encoder(k: usize, n: usize) -> Self {
        Self::of(k, &matrix(k, n)[k * k..])
    }

    /// What makes the first data shard of the other data shards and the first parity shard.
    pub fn decoder(k: usize, n: usize) -> Self {
        let all = matrix(k, n);
        let mut used = all[k..(k + 1) * k].to_vec();
        let mut inverse = vec![0; k * k];
        // SAFETY: both have k × k cells.
        let failed = unsafe { gf_invert_matrix(used.as_mut_ptr(), inverse.as_mut_ptr(), int(k)) };
        assert_eq!(failed, 0, "any k rows can be inverted");
        Self::of(k, &inverse[..k])
    }

    /// The sums of these rows.
    pub fn sums(&mut self, sources: &[&[u8]], results: &mut [&mut [u8]]) {
        assert_eq!((sources.len(), results.len()), (self.k, self.rows));
        let length = sources[0].len();
        assert!(sources.iter().all(|source| source.len() == length));
        assert!(results.iter().all(|result| result.len() == length));
        let mut from: Vec<*mut u8> =
            sources.iter().map(|source| source.as_ptr().cast_mut()).collect();
        let mut to: Vec<*mut u8> = results.iter_mut().map(|result| result.as_mut_ptr()).collect();
        // SAFETY: all have `length` bytes; sources are only read.
        unsafe {
            ec_encode_data(
                int(length),
                int(self.k),
                int(self.rows),
                self.tables.as_mut_ptr(),
                from.as_mut_ptr(),
                to.as_mut_ptr(),
            );
        }
    }
}

fn matrix(k: usize, n: usize) -> Vec<u8> {
    let mut cells = vec![0; n * k];
    // SAFETY: there are n × k cells.
    unsafe { gf_gen_cauchy1_matrix(cells.as_mut_ptr(), int(n), int(k)) };
    cells
}
