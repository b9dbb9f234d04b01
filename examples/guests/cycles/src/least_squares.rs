//! Linear least squares by Householder's QR factorisation (Golub and Van Loan, "Matrix
//! Computations", section 5.3.2).

/// What a fit of `P` coefficients gave.
#[derive(Debug)]
pub struct Solution<const P: usize> {
    /// The coefficients.
    pub coefficients: [f64; P],
    /// Their covariance, divided by the variance of the noise: the inverse of XᵀX.
    pub covariance: [[f64; P]; P],
}

/// Fits `values` by `rows` times coefficients. `None` if there are too few rows, or if they do not
/// tell the coefficients apart.
pub fn solve<const P: usize>(rows: &[[f64; P]], values: &[f64]) -> Option<Solution<P>> {
    if rows.len() <= P || rows.len() != values.len() {
        return None;
    }
    let mut x = rows.to_vec();
    let mut y = values.to_vec();
    for column in 0..P {
        reflect(&mut x, &mut y, column);
    }
    let largest = (0..P).map(|i| x[i][i].abs()).fold(0.0, f64::max);
    if (0..P).any(|i| x[i][i].abs() <= 1e-10 * largest) {
        return None;
    }
    let inverse = invert_upper(&x);
    let mut solution = Solution { coefficients: [0.0; P], covariance: [[0.0; P]; P] };
    for i in 0..P {
        solution.coefficients[i] = (i..P).map(|k| inverse[i][k] * y[k]).sum();
        for j in 0..P {
            solution.covariance[i][j] = (i.max(j)..P).map(|k| inverse[i][k] * inverse[j][k]).sum();
        }
    }
    Some(solution)
}

/// Makes the entries of one column below the diagonal vanish.
fn reflect<const P: usize>(x: &mut [[f64; P]], y: &mut [f64], column: usize) {
    let norm = x[column..].iter().map(|row| row[column] * row[column]).sum::<f64>().sqrt();
    if norm == 0.0 {
        return;
    }
    let head = x[column][column];
    let alpha = if head > 0.0 { -norm } else { norm };
    let mut mirror: Vec<f64> = x[column..].iter().map(|row| row[column]).collect();
    mirror[0] = head - alpha;
    let scale = 2.0 / mirror.iter().map(|v| v * v).sum::<f64>();
    for other in column..P {
        let dot: f64 = mirror.iter().zip(&x[column..]).map(|(v, row)| v * row[other]).sum();
        for (v, row) in mirror.iter().zip(&mut x[column..]) {
            row[other] -= scale * dot * v;
        }
    }
    let dot: f64 = mirror.iter().zip(&y[column..]).map(|(v, value)| v * value).sum();
    for (v, value) in mirror.iter().zip(&mut y[column..]) {
        *value -= scale * dot * v;
    }
}

/// The inverse of the upper triangle in the first `P` rows.
fn invert_upper<const P: usize>(r: &[[f64; P]]) -> [[f64; P]; P] {
    let mut columns = [[0.0; P]; P];
    for (column, solved) in columns.iter_mut().enumerate() {
        for row in (0..=column).rev() {
            let unit = if row == column { 1.0 } else { 0.0 };
            let known: f64 = (row + 1..=column).map(|k| r[row][k] * solved[k]).sum();
            solved[row] = (unit - known) / r[row][row];
        }
    }
    std::array::from_fn(|row| std::array::from_fn(|column| columns[column][row]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST Statistical Reference Datasets, "Norris": (y, x).
    const NORRIS: [(f64, f64); 36] = [
        (0.1, 0.2),
        (338.8, 337.4),
        (118.1, 118.2),
        (888.0, 884.6),
        (9.2, 10.1),
        (228.1, 226.5),
        (668.5, 666.3),
        (998.5, 996.3),
        (449.1, 448.6),
        (778.9, 777.0),
        (559.2, 558.2),
        (0.3, 0.4),
        (0.1, 0.6),
        (778.1, 775.5),
        (668.8, 666.9),
        (339.3, 338.0),
        (448.9, 447.5),
        (10.8, 11.6),
        (557.7, 556.0),
        (228.3, 228.1),
        (998.0, 995.8),
        (888.8, 887.6),
        (119.6, 120.2),
        (0.3, 0.3),
        (0.6, 0.3),
        (557.6, 556.8),
        (339.3, 339.1),
        (888.0, 887.2),
        (998.5, 999.0),
        (778.9, 779.0),
        (10.2, 11.1),
        (117.6, 118.3),
        (228.9, 229.2),
        (668.4, 669.1),
        (449.2, 448.9),
        (0.2, 0.5),
    ];

    #[test]
    fn the_certified_values_of_nist_come_out() {
        let rows: Vec<[f64; 2]> = NORRIS.iter().map(|(_, x)| [1.0, *x]).collect();
        let values: Vec<f64> = NORRIS.iter().map(|(y, _)| *y).collect();
        let solution = solve(&rows, &values).expect("two coefficients of 36 points");
        let [b0, b1] = solution.coefficients;
        let squares: f64 =
            rows.iter().zip(&values).map(|(row, y)| (y - b0 - b1 * row[1]).powi(2)).sum();
        let variance = squares / 34.0;
        for (value, certified) in [
            (b0, -0.262323073774029),
            (b1, 1.00211681802045),
            (variance.sqrt(), 0.884796396144373),
            ((variance * solution.covariance[0][0]).sqrt(), 0.232818234301152),
            ((variance * solution.covariance[1][1]).sqrt(), 0.429796848199937e-3),
        ] {
            assert!((value / certified - 1.0).abs() < 1e-9, "{value} is not {certified}");
        }
    }

    #[test]
    fn columns_that_say_the_same_are_refused() {
        let rows: Vec<[f64; 2]> = (0..10).map(|i| [i as f64, 2.0 * i as f64]).collect();
        assert!(solve(&rows, &[1.0; 10]).is_none());
        assert!(solve(&rows[..2], &[1.0; 2]).is_none());
        assert!(solve(&[[0.0, 0.0]; 5], &[1.0; 5]).is_none());
    }
}
