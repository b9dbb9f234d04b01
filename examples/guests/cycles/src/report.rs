//! What is written: JSON for programs, a table of the periodogram, one line for people.

use crate::{
    fit::{Estimate, Fit, Wave},
    periodogram::{peaks, periods_h, powers},
    week::Week,
};
use std::fmt::Write as _;

/// Peaks of the periodogram that the JSON names.
const PEAKS: usize = 3;

/// The fits as one JSON object.
pub fn json(name: &str, week: &Week, temperature: &Fit, pressure: Option<&Fit>) -> String {
    let strongest = peaks(&powers(&week.temperature, temperature.trend_per_day.value), PEAKS)
        .iter()
        .map(|(period_h, power)| {
            format!("{{\"period_h\": {}, \"power\": {}}}", number(*period_h, 2), number(*power, 4))
        })
        .collect::<Vec<_>>()
        .join(", ");
    let dew_point = mean(&week.dew_point.values).map_or("null".into(), |mean| number(mean, 3));
    format!(
        "{{\n  \"series\": {},\n  \"rows\": {},\n  \"temperature_c\": {},\n  \"pressure_hpa\": {},\n  \
         \"dew_point_mean_c\": {dew_point},\n  \"temperature_peaks\": [{strongest}]\n}}\n",
        quoted(name),
        week.rows,
        fit_json(temperature),
        pressure.map_or("null".into(), fit_json),
    )
}

/// The periodogram as a table: `period_h,temperature,pressure`.
pub fn periodogram(week: &Week, temperature: &Fit, pressure: Option<&Fit>) -> String {
    let columns = [
        Some(powers(&week.temperature, temperature.trend_per_day.value)),
        pressure.map(|fit| powers(&week.pressure, fit.trend_per_day.value)),
    ];
    let mut text = String::from("period_h,temperature,pressure\n");
    for (index, period_h) in periods_h().enumerate() {
        text.push_str(&number(period_h, 4));
        for column in &columns {
            let cell = column.as_ref().map(|powers| number(powers[index], 5)).unwrap_or_default();
            text.push(',');
            text.push_str(&cell);
        }
        text.push('\n');
    }
    text
}

/// One line for people.
pub fn line(name: &str, temperature: &Fit, pressure: Option<&Fit>) -> String {
    let Fit { values, mean, trend_per_day: trend, daily, .. } = temperature;
    let mut line = format!(
        "{name}: {values} h, mean {} °C, trend {:+.2} ± {:.2} °C/day, daily cycle {:.1} ± {:.1} °C with its crest at {}",
        number(*mean, 1),
        trend.value,
        trend.error,
        daily.amplitude.value,
        daily.amplitude.error,
        clock(daily.crest_h),
    );
    if let Some(tide) = pressure.map(|fit| fit.half_daily) {
        // Writing to a string cannot fail.
        let _ = write!(
            line,
            "; pressure tide {:.2} ± {:.2} hPa, {}",
            tide.amplitude.value,
            tide.amplitude.error,
            clock(tide.crest_h)
        );
    }
    line
}

fn fit_json(fit: &Fit) -> String {
    format!(
        "{{\"values\": {}, \"mean\": {}, \"trend_per_day\": {}, \"daily\": {}, \"half_daily\": {}, \
         \"explained\": {}, \"residual_sd\": {}, \"lag1\": {}}}",
        fit.values,
        number(fit.mean, 4),
        estimate_json(fit.trend_per_day),
        wave_json(fit.daily),
        wave_json(fit.half_daily),
        number(fit.explained, 4),
        number(fit.residual_sd, 4),
        number(fit.lag1, 4),
    )
}

fn wave_json(wave: Wave) -> String {
    format!(
        "{{\"amplitude\": {}, \"crest_local_h\": {}}}",
        estimate_json(wave.amplitude),
        number(wave.crest_h, 3)
    )
}

fn estimate_json(estimate: Estimate) -> String {
    format!(
        "{{\"value\": {}, \"error\": {}}}",
        number(estimate.value, 4),
        number(estimate.error, 4)
    )
}

/// A number with fixed decimals, without a minus before zero.
fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(zero) if zero.chars().all(|c| c == '0' || c == '.') => zero.into(),
        _ => text,
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Hours after midnight as `HH:MM`.
fn clock(hours: f64) -> String {
    let minutes = (hours * 60.0).round() as u32 % (24 * 60);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_times_are_plain() {
        assert_eq!(number(-0.00001, 3), "0.000");
        assert_eq!(number(-1.5, 1), "-1.5");
        assert_eq!(quoted("a\"b\\\n"), "\"a\\\"b\\\\\\u000a\"");
        assert_eq!(clock(23.999), "00:00");
        assert_eq!(clock(14.25), "14:15");
    }
}
