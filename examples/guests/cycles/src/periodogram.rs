//! The generalised Lomb-Scargle periodogram: which periods a series with gaps holds.
//!
//! Source: Zechmeister and Kürster, "The generalised Lomb-Scargle periodogram", Astronomy and
//! Astrophysics 496 (2009), equations 4 to 15, with equal weights.

use crate::week::Series;
use std::f64::consts::TAU;

/// The longest period looked at: a week.
const PERIOD_MAX_H: f64 = 168.0;
/// The shortest: four hours, well above twice the hour between two values.
const PERIOD_MIN_H: f64 = 4.0;
/// Frequencies in one step of `1 / PERIOD_MAX_H`.
const OVERSAMPLING: u32 = 5;

/// The periods at which a periodogram is given, in hours, longest first.
pub fn periods_h() -> impl Iterator<Item = f64> {
    let steps = (PERIOD_MAX_H / PERIOD_MIN_H) as u32 * OVERSAMPLING;
    (OVERSAMPLING..=steps).map(|step| PERIOD_MAX_H * f64::from(OVERSAMPLING) / f64::from(step))
}

/// Part of the variance of `series`, less a line of `slope_per_day`, that a wave of each period
/// explains: 0 to 1.
pub fn powers(series: &Series, slope_per_day: f64) -> Vec<f64> {
    let first_h = series.times_h.first().copied().unwrap_or_default();
    let times_h: Vec<f64> = series.times_h.iter().map(|t| t - first_h).collect();
    let level: Vec<f64> =
        times_h.iter().zip(&series.values).map(|(t, y)| y - slope_per_day * t / 24.0).collect();
    let count = level.len() as f64;
    let mean = level.iter().sum::<f64>() / count;
    let values: Vec<f64> = level.iter().map(|y| y - mean).collect();
    let variance = values.iter().map(|y| y * y).sum::<f64>() / count;
    periods_h().map(|period_h| power(&times_h, &values, variance, TAU / period_h)).collect()
}

/// Values have mean zero.
fn power(times_h: &[f64], values: &[f64], variance: f64, omega: f64) -> f64 {
    let mut sums = [0.0; 6];
    for (time_h, y) in times_h.iter().zip(values) {
        let (sin, cos) = (omega * time_h).sin_cos();
        for (sum, term) in sums.iter_mut().zip([cos, sin, y * cos, y * sin, cos * cos, cos * sin]) {
            *sum += term;
        }
    }
    let [c, s, yc, ys, cc_raw, cs_raw] = sums.map(|sum| sum / values.len() as f64);
    let (cc, ss, cs) = (cc_raw - c * c, 1.0 - cc_raw - s * s, cs_raw - c * s);
    let determinant = cc * ss - cs * cs;
    if determinant <= 1e-12 || variance <= 0.0 {
        return 0.0;
    }
    (ss * yc * yc + cc * ys * ys - 2.0 * cs * yc * ys) / (variance * determinant)
}

/// The highest local maxima: (period in hours, power), at most `count`, highest first.
pub fn peaks(powers: &[f64], count: usize) -> Vec<(f64, f64)> {
    let periods: Vec<f64> = periods_h().collect();
    let mut peaks: Vec<(f64, f64)> = (1..powers.len().saturating_sub(1))
        .filter(|&i| powers[i - 1] < powers[i] && powers[i] >= powers[i + 1])
        .map(|i| (periods[i], powers[i]))
        .collect();
    peaks.sort_by(|a, b| b.1.total_cmp(&a.1));
    peaks.truncate(count);
    peaks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_of_a_wave_with_gaps_is_the_highest_peak() {
        let mut series = Series::default();
        for hour in (0..168).filter(|hour| hour % 11 != 5 && !(60..75).contains(hour)) {
            let time_h = 378_000.0 + f64::from(hour);
            series.times_h.push(time_h);
            series.values.push(5.0 + 0.1 * f64::from(hour) + (TAU * time_h / 24.0).sin());
        }
        let powers = powers(&series, 2.4);
        let (period_h, power) = peaks(&powers, 3)[0];
        assert!((period_h - 24.0).abs() < 1e-9, "{period_h}");
        assert!((power - 1.0).abs() < 1e-9, "{power}");
        assert!(powers.iter().all(|p| (0.0..=1.0 + 1e-9).contains(p)));
    }

    #[test]
    fn a_constant_has_no_power() {
        let series = Series { times_h: (0..60).map(f64::from).collect(), values: vec![3.0; 60] };
        assert!(powers(&series, 0.0).iter().all(|p| *p == 0.0));
        assert!(peaks(&powers(&series, 0.0), 3).is_empty());
    }

    #[test]
    fn periods_run_from_a_week_to_four_hours() {
        let periods: Vec<f64> = periods_h().collect();
        assert_eq!((periods[0], periods[periods.len() - 1]), (168.0, 4.0));
        assert!(periods.windows(2).all(|pair| pair[0] > pair[1]));
    }
}
