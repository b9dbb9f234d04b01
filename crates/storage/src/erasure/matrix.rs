//! Matrices over GF(2⁸): the parity of the code, and how losses are undone.

use super::field::{invert, mul};

/// Rows of equal length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Matrix {
    pub(super) columns: usize,
    /// Row after row.
    pub(super) cells: Vec<u8>,
}

impl Matrix {
    pub(super) fn rows(&self) -> usize {
        self.cells.len() / self.columns
    }

    pub(super) fn row(&self, row: usize) -> &[u8] {
        &self.cells[row * self.columns..(row + 1) * self.columns]
    }

    /// The parity matrix of the code `rs-cauchy-gf256/1`: 1 / ((data + i) ⊕ j) in row i and column
    /// j, with rows and columns scaled so that the first of each is all 1. Scaling keeps what makes
    /// it a code: every square part of it can be inverted. With one data shard all parity shards
    /// are copies; the first parity shard is always the sum of the data.
    pub(super) fn parity(data: usize, parity: usize) -> Self {
        let cauchy = |i: usize, j: usize| {
            let sum = u8::try_from((data + i) ^ j).expect("fewer than 256 shards");
            invert(sum)
        };
        let mut cells = Vec::with_capacity(data * parity);
        for i in 0..parity {
            for j in 0..data {
                let scaled = mul(cauchy(i, j), invert(cauchy(i, 0)));
                let first = mul(cauchy(0, j), invert(cauchy(0, 0)));
                cells.push(mul(scaled, invert(first)));
            }
        }
        Self { columns: data, cells }
    }

    /// The product of a row with this matrix.
    pub(super) fn under(&self, row: &[u8]) -> Vec<u8> {
        let mut product = vec![0; self.columns];
        for (factor, own) in row.iter().zip(self.cells.chunks(self.columns)) {
            for (sum, cell) in product.iter_mut().zip(own) {
                *sum ^= mul(*factor, *cell);
            }
        }
        product
    }

    /// The inverse of a square matrix, by elimination; `None` if there is none.
    pub(super) fn inverse(mut self) -> Option<Self> {
        let size = self.columns;
        let mut inverse = Self { columns: size, cells: vec![0; size * size] };
        for at in 0..size {
            inverse.cells[at * size + at] = 1;
        }
        for at in 0..size {
            let pivot = (at..size).find(|row| self.cells[row * size + at] != 0)?;
            let factor = invert(self.cells[pivot * size + at]);
            for matrix in [&mut self, &mut inverse] {
                matrix.swap(at, pivot);
                matrix.scale(at, factor);
            }
            for row in (0..size).filter(|row| *row != at) {
                let factor = self.cells[row * size + at];
                if factor != 0 {
                    self.subtract(row, at, factor);
                    inverse.subtract(row, at, factor);
                }
            }
        }
        Some(inverse)
    }

    fn swap(&mut self, a: usize, b: usize) {
        if a != b {
            for column in 0..self.columns {
                self.cells.swap(a * self.columns + column, b * self.columns + column);
            }
        }
    }

    fn scale(&mut self, row: usize, factor: u8) {
        for cell in &mut self.cells[row * self.columns..(row + 1) * self.columns] {
            *cell = mul(*cell, factor);
        }
    }

    /// Subtracts a multiple of the row `other` from `row`.
    fn subtract(&mut self, row: usize, other: usize, factor: u8) {
        for column in 0..self.columns {
            let part = mul(self.cells[other * self.columns + column], factor);
            self.cells[row * self.columns + column] ^= part;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parity_of_a_code_never_changes() {
        assert_eq!(Matrix::parity(1, 3).cells, [1, 1, 1]);
        assert_eq!(Matrix::parity(4, 2).cells, [1, 1, 1, 1, 1, 217, 92, 172]);
    }

    #[test]
    fn an_inverse_undoes_and_a_singular_matrix_has_none() {
        let matrix = Matrix::parity(7, 7);
        let inverse = matrix.clone().inverse().expect("parts of this matrix have inverses");
        for row in 0..7 {
            let product = inverse.under(matrix.row(row));
            let unit: Vec<u8> = (0..7).map(|column| u8::from(column == row)).collect();
            assert_eq!(product, unit);
        }
        let twice = Matrix { columns: 2, cells: vec![3, 5, 3, 5] };
        assert_eq!(twice.inverse(), None);
    }
}
