//! Tables in text as other programs write them: comma-separated values (RFC 4180).

/// The records of a text and the lines they begin in. Lines without anything in them are left out.
///
/// # Errors
/// A quote that does not end, or something behind one.
pub(crate) fn records(text: &str) -> Result<Vec<(usize, Vec<String>)>, String> {
    let mut records = Vec::new();
    let mut chars = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
    let mut line = 1;
    while chars.peek().is_some() {
        let begin = line;
        let mut record = Vec::new();
        let mut field = String::new();
        let mut quoted = false;
        loop {
            match chars.next() {
                Some('"') if field.is_empty() && !quoted => {
                    quoted = true;
                    field = quote(&mut chars, &mut line)
                        .ok_or_else(|| format!("line {begin}: a quote does not end"))?;
                }
                Some(',') => {
                    record.push(std::mem::take(&mut field));
                    quoted = false;
                }
                Some('\r') if chars.peek() == Some(&'\n') => {}
                None | Some('\n') => break,
                Some(_) if quoted => {
                    return Err(format!("line {line}: something stands behind a quote"));
                }
                Some(other) => field.push(other),
            }
        }
        line += 1;
        let nothing = record.is_empty() && field.is_empty() && !quoted;
        record.push(field);
        if !nothing {
            records.push((begin, record));
        }
    }
    Ok(records)
}

/// What stands between the quote before and the next single one.
fn quote(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, line: &mut usize) -> Option<String> {
    let mut field = String::new();
    loop {
        match chars.next()? {
            '"' if chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => return Some(field),
            other => {
                *line += usize::from(other == '\n');
                field.push(other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Vec<String>> {
        records(text).unwrap().into_iter().map(|(_, record)| record).collect()
    }

    #[test]
    fn records_are_lines_and_fields_stand_between_commas() {
        assert_eq!(read("x,y\n1,a\r\n2,\n"), [["x", "y"], ["1", "a"], ["2", ""]]);
        assert_eq!(read("\u{feff}x\n\n1"), [["x"], ["1"]]);
        assert_eq!(read(""), [[""; 0]; 0]);
    }

    #[test]
    fn quotes_hold_commas_lines_and_quotes() {
        assert_eq!(read("\"a,b\",\"c\nd\",\"\"\"e\"\"\"\n"), [["a,b", "c\nd", "\"e\""]]);
        assert_eq!(read("\"\"\n"), [[""]], "an empty value is one");
        assert_eq!(records("\"a\nb\"\nc").unwrap()[1].0, 3, "lines are counted inside");
    }

    #[test]
    fn what_is_not_well_formed_is_said_with_its_line() {
        assert!(records("a\n\"b").unwrap_err().contains("line 2"));
        assert!(records("a\n\"b\"c").unwrap_err().contains("line 2"));
    }
}
