//! The input: hourly rows of `time_utc,temp_f,dewp_f,pressure_hpa`, `NA` where nothing was reported.

/// Values at times. Times are hours since 1970 (UTC), strictly increasing; gaps are allowed.
#[derive(Default, Debug, PartialEq)]
pub struct Series {
    /// When.
    pub times_h: Vec<f64>,
    /// What, in the unit that the owner of the series names.
    pub values: Vec<f64>,
}

impl Series {
    fn push(&mut self, time_h: f64, value: Option<f64>) {
        if let Some(value) = value {
            self.times_h.push(time_h);
            self.values.push(value);
        }
    }
}

/// One file.
#[derive(Default, Debug)]
pub struct Week {
    /// Rows of the file.
    pub rows: usize,
    /// Air temperature, °C.
    pub temperature: Series,
    /// Dew point, °C.
    pub dew_point: Series,
    /// Pressure at sea level, hPa.
    pub pressure: Series,
}

const HEADER: &str = "time_utc,temp_f,dewp_f,pressure_hpa";

/// Reads a file. The reason of a failure names the line.
pub fn parse(text: &str) -> Result<Week, String> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    if header != HEADER {
        return Err(format!("the first line is not '{HEADER}'"));
    }
    let mut week = Week::default();
    let mut last_h = f64::NEG_INFINITY;
    for (index, line) in lines.enumerate() {
        let row = row(line).map_err(|reason| format!("line {}: {reason}", index + 2))?;
        if row.time_h <= last_h {
            return Err(format!("line {}: not later than the line before", index + 2));
        }
        last_h = row.time_h;
        week.rows += 1;
        week.temperature.push(row.time_h, row.temp_f.map(celsius));
        week.dew_point.push(row.time_h, row.dewp_f.map(celsius));
        week.pressure.push(row.time_h, row.pressure_hpa);
    }
    Ok(week)
}

struct Row {
    time_h: f64,
    temp_f: Option<f64>,
    dewp_f: Option<f64>,
    pressure_hpa: Option<f64>,
}

fn row(line: &str) -> Result<Row, String> {
    let fields: Vec<&str> = line.split(',').collect();
    let [time, temp, dewp, pressure] = fields[..] else {
        return Err(format!("{} fields instead of 4", fields.len()));
    };
    Ok(Row {
        time_h: hours_since_1970(time)
            .ok_or(format!("'{time}' is not a time like 2013-02-11T05:00:00Z"))?,
        temp_f: number(temp, -130.0..=140.0)?,
        dewp_f: number(dewp, -130.0..=140.0)?,
        pressure_hpa: number(pressure, 800.0..=1100.0)?,
    })
}

fn celsius(fahrenheit: f64) -> f64 {
    (fahrenheit - 32.0) / 1.8
}

fn number(text: &str, range: std::ops::RangeInclusive<f64>) -> Result<Option<f64>, String> {
    if text == "NA" {
        return Ok(None);
    }
    let value: f64 = text.parse().map_err(|_| format!("'{text}' is neither a number nor NA"))?;
    if range.contains(&value) {
        Ok(Some(value))
    } else {
        Err(format!("{text} is not between {} and {}", range.start(), range.end()))
    }
}

fn hours_since_1970(text: &str) -> Option<f64> {
    let text = text.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let numbers = |part: &str, mark: char| -> Option<[i64; 3]> {
        let list: Option<Vec<i64>> = part.split(mark).map(|n| n.parse().ok()).collect();
        list?.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let plausible = (1900..=2200).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second);
    let hours = days_since_1970(year, month, day) * 24 + hour;
    plausible.then_some(hours as f64 + minute as f64 / 60.0 + second as f64 / 3600.0)
}

/// Days of the proleptic Gregorian calendar. Years are counted from March, so that the leap day
/// comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_1970_over_leap_days() {
        for (text, hours) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("1972-03-01T00:00:00Z", 790.0 * 24.0),
            ("2000-02-29T12:30:00Z", 11_016.0 * 24.0 + 12.5),
            ("2013-01-01T06:00:00Z", 1_357_020_000.0 / 3600.0),
        ] {
            assert_eq!(hours_since_1970(text), Some(hours), "{text}");
        }
    }

    #[test]
    fn a_row_becomes_metric_and_a_missing_value_stays_missing() {
        let text = format!("{HEADER}\n2013-01-01T06:00:00Z,50,NA,1012.3\n");
        let week = parse(&text).expect("a good file");
        assert_eq!(week.temperature.values, [10.0]);
        assert_eq!(week.dew_point, Series::default());
        assert_eq!(week.pressure.values, [1012.3]);
    }

    #[test]
    fn a_bad_line_is_named() {
        let good = "2013-01-01T06:00:00Z,39,26,1012";
        for (bad, reason) in [
            ("2013-01-01T07:00:00Z,39,26", "line 3: 3 fields instead of 4"),
            ("yesterday,39,26,1012", "line 3: 'yesterday' is not a time like 2013-02-11T05:00:00Z"),
            ("2013-01-01T07:00:00Z,warm,26,1012", "line 3: 'warm' is neither a number nor NA"),
            ("2013-01-01T07:00:00Z,inf,26,1012", "line 3: inf is not between -130 and 140"),
            (good, "line 3: not later than the line before"),
        ] {
            let text = format!("{HEADER}\n{good}\n{bad}\n");
            assert_eq!(parse(&text).expect_err(bad), reason);
        }
        assert!(parse("").is_err());
    }
}
