//! A line, a daily and a half-daily wave through an hourly series, with errors that know that
//! neighbouring hours are alike.
//!
//! The coefficients come from ordinary least squares. Their errors are widened by the spectrum of
//! AR(1) noise at the frequency of each term, with the lag-one autocorrelation of the residuals
//! (Priestley, "Spectral Analysis and Time Series", 1981, sections 3.5 and 7.7).

use crate::{
    least_squares::{Solution, solve},
    week::Series,
};
use std::f64::consts::TAU;

/// Fewer values than two days of hours say nothing about a daily cycle.
pub const VALUES_MIN: usize = 48;
/// Beyond this the noise is a random walk, and the formula for its spectrum ends.
const LAG1_MAX: f64 = 0.98;

/// A number and its standard error.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// A wave of a fixed period.
#[derive(Clone, Copy, Debug)]
pub struct Wave {
    /// Half the way from trough to crest, in the unit of the series.
    pub amplitude: Estimate,
    /// Local standard time of the (first) crest, hours after midnight.
    pub crest_h: f64,
}

/// What was fitted to one series.
#[derive(Debug)]
pub struct Fit {
    /// Values that were used.
    pub values: usize,
    /// Mean of the values.
    pub mean: f64,
    /// Slope of the line, per day.
    pub trend_per_day: Estimate,
    /// The wave of 24 hours.
    pub daily: Wave,
    /// The wave of 12 hours.
    pub half_daily: Wave,
    /// Part of the variance that line and waves explain, 0 to 1.
    pub explained: f64,
    /// Standard deviation of what is left.
    pub residual_sd: f64,
    /// Autocorrelation of what is left, from one hour to the next.
    pub lag1: f64,
}

/// Coefficients: level, slope, cosine and sine of a day, cosine and sine of half a day.
const TERMS: usize = 6;

impl Fit {
    /// Fits a series whose clock is `utc_offset_h` hours ahead of UTC.
    pub fn of(series: &Series, utc_offset_h: f64) -> Result<Self, String> {
        let count = series.values.len();
        if count < VALUES_MIN {
            return Err(format!("{count} values, at least {VALUES_MIN} are needed"));
        }
        let middle_h = (series.times_h[0] + series.times_h[count - 1]) / 2.0;
        let rows: Vec<[f64; TERMS]> =
            series.times_h.iter().map(|t| terms(*t, middle_h, utc_offset_h)).collect();
        let solution = solve(&rows, &series.values)
            .ok_or("the hours do not tell the trend from the daily cycle")?;

        let fitted = rows.iter().map(|row| dot(row, &solution.coefficients));
        let residuals: Vec<f64> = series.values.iter().zip(fitted).map(|(y, f)| y - f).collect();
        let mean = series.values.iter().sum::<f64>() / count as f64;
        let total: f64 = series.values.iter().map(|y| (y - mean).powi(2)).sum();
        let left: f64 = residuals.iter().map(|r| r * r).sum();
        let variance = left / (count - TERMS) as f64;
        let lag1 = lag1(&series.times_h, &residuals);

        let noise = |period_h: f64| variance * ar1_spectrum(lag1, TAU / period_h);
        let trend_error = (noise(f64::INFINITY) * solution.covariance[1][1]).sqrt();
        Ok(Self {
            values: count,
            mean,
            trend_per_day: Estimate { value: solution.coefficients[1], error: trend_error },
            daily: wave(&solution, 2, 24.0, noise(24.0)),
            half_daily: wave(&solution, 4, 12.0, noise(12.0)),
            explained: if total > 0.0 { 1.0 - left / total } else { 0.0 },
            residual_sd: variance.sqrt(),
            lag1,
        })
    }
}

fn terms(time_h: f64, middle_h: f64, utc_offset_h: f64) -> [f64; TERMS] {
    let angle = TAU * ((time_h + utc_offset_h) / 24.0).fract();
    let (sin, cos) = angle.sin_cos();
    let (sin_half, cos_half) = (2.0 * angle).sin_cos();
    [1.0, (time_h - middle_h) / 24.0, cos, sin, cos_half, sin_half]
}

fn dot(row: &[f64; TERMS], coefficients: &[f64; TERMS]) -> f64 {
    row.iter().zip(coefficients).map(|(a, b)| a * b).sum()
}

/// Autocorrelation of pairs that are one hour apart, between none and [`LAG1_MAX`].
fn lag1(times_h: &[f64], residuals: &[f64]) -> f64 {
    let mut products = 0.0;
    let mut squares = 0.0;
    for (times, pair) in times_h.windows(2).zip(residuals.windows(2)) {
        if (times[1] - times[0] - 1.0).abs() < 1e-6 {
            products += pair[0] * pair[1];
            squares += (pair[0] * pair[0] + pair[1] * pair[1]) / 2.0;
        }
    }
    if squares > 0.0 { (products / squares).clamp(0.0, LAG1_MAX) } else { 0.0 }
}

/// Spectral density of AR(1) noise relative to white noise of the same variance, at `omega`
/// radians per hour.
fn ar1_spectrum(lag1: f64, omega: f64) -> f64 {
    (1.0 - lag1 * lag1) / (1.0 - 2.0 * lag1 * omega.cos() + lag1 * lag1)
}

/// The wave whose cosine and sine are the terms `at` and `at + 1`.
fn wave(solution: &Solution<TERMS>, at: usize, period_h: f64, variance: f64) -> Wave {
    let (c, s) = (solution.coefficients[at], solution.coefficients[at + 1]);
    let cov = &solution.covariance;
    let amplitude = c.hypot(s);
    // The error of √(c² + s²), to first order.
    let spread = if amplitude > 0.0 {
        (c * c * cov[at][at] + 2.0 * c * s * cov[at][at + 1] + s * s * cov[at + 1][at + 1])
            / (amplitude * amplitude)
    } else {
        cov[at][at]
    };
    let crest_h = (s.atan2(c) / TAU * period_h).rem_euclid(period_h);
    Wave { amplitude: Estimate { value: amplitude, error: (variance * spread).sqrt() }, crest_h }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two weeks of hours: 10 + 0.5 per day, 4 high at 15 h, 1 high at 3 h and 15 h; UTC−5.
    fn known(noise: impl Fn(usize) -> f64, keep: impl Fn(usize) -> bool) -> Series {
        let mut series = Series::default();
        for hour in (0..336).filter(|hour| keep(*hour)) {
            let (time_h, local_h) = (378_000.0 + hour as f64, 378_000.0 + hour as f64 - 5.0);
            let day = TAU * (local_h - 15.0) / 24.0;
            let half = TAU * (local_h - 3.0) / 12.0;
            series.times_h.push(time_h);
            series
                .values
                .push(10.0 + 0.5 * hour as f64 / 24.0 + 4.0 * day.cos() + half.cos() + noise(hour));
        }
        series
    }

    fn close(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value} is not {expected}");
    }

    #[test]
    fn a_known_signal_comes_back_even_with_hours_missing() {
        let fit = Fit::of(&known(|_| 0.0, |hour| hour % 7 != 3 && !(50..70).contains(&hour)), -5.0)
            .expect("a good series");
        close(fit.trend_per_day.value, 0.5, 1e-9);
        close(fit.daily.amplitude.value, 4.0, 1e-9);
        close(fit.daily.crest_h, 15.0, 1e-8);
        close(fit.half_daily.amplitude.value, 1.0, 1e-9);
        close(fit.half_daily.crest_h, 3.0, 1e-8);
        close(fit.explained, 1.0, 1e-12);
    }

    #[test]
    fn noise_that_lasts_widens_the_error_of_the_trend() {
        // Plus and minus one, hour by hour and in blocks of twelve hours (out of step with a day).
        let hourly = Fit::of(&known(|hour| (hour % 2) as f64, |_| true), -5.0).expect("a fit");
        let blocks =
            Fit::of(&known(|hour| ((hour / 13) % 2) as f64, |_| true), -5.0).expect("a fit");
        assert_eq!(hourly.lag1, 0.0);
        assert!(blocks.lag1 > 0.7, "{blocks:?}");
        assert!(blocks.trend_per_day.error > 2.0 * hourly.trend_per_day.error);
        close(blocks.trend_per_day.value, 0.5, 3.0 * blocks.trend_per_day.error);
    }

    #[test]
    fn too_few_values_and_a_single_hour_of_the_day_are_refused() {
        assert!(Fit::of(&known(|_| 0.0, |hour| hour < 47), -5.0).is_err());
        let noons = Series {
            times_h: (0..100).map(|day| 24.0 * day as f64).collect(),
            values: vec![1.0; 100],
        };
        assert!(Fit::of(&noons, 0.0).is_err());
    }
}
