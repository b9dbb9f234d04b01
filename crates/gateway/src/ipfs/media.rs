//! The media type of a file, by its name or its first bytes.

/// What is known of no file.
const UNKNOWN: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";
/// Bytes that are looked at.
const SNIFFED_BYTES: usize = 512;

/// Ends of names, and what they mean.
const TYPES: &[(&[&str], &str)] = &[
    (&["html", "htm"], "text/html; charset=utf-8"),
    (&["css"], "text/css; charset=utf-8"),
    (&["js", "mjs"], "text/javascript; charset=utf-8"),
    (&["txt", "log", "rs", "py", "c", "h", "sh", "toml", "ini"], TEXT),
    (&["md"], "text/markdown; charset=utf-8"),
    (&["csv"], "text/csv; charset=utf-8"),
    (&["tsv"], "text/tab-separated-values; charset=utf-8"),
    (&["xml"], "application/xml"),
    (&["json", "map"], "application/json"),
    (&["ndjson", "jsonl"], "application/x-ndjson"),
    (&["yaml", "yml"], "application/yaml"),
    (&["wasm"], "application/wasm"),
    (&["pdf"], "application/pdf"),
    (&["zip"], "application/zip"),
    (&["gz"], "application/gzip"),
    (&["zst"], "application/zstd"),
    (&["tar"], "application/x-tar"),
    (&["car"], "application/vnd.ipld.car"),
    (&["parquet"], "application/vnd.apache.parquet"),
    (&["png"], "image/png"),
    (&["jpg", "jpeg"], "image/jpeg"),
    (&["gif"], "image/gif"),
    (&["webp"], "image/webp"),
    (&["avif"], "image/avif"),
    (&["svg"], "image/svg+xml"),
    (&["ico"], "image/vnd.microsoft.icon"),
    (&["tif", "tiff"], "image/tiff"),
    (&["mp4", "m4v"], "video/mp4"),
    (&["webm"], "video/webm"),
    (&["mp3"], "audio/mpeg"),
    (&["ogg", "oga"], "audio/ogg"),
    (&["opus"], "audio/opus"),
    (&["flac"], "audio/flac"),
    (&["wav"], "audio/wav"),
    (&["woff"], "font/woff"),
    (&["woff2"], "font/woff2"),
    (&["ttf"], "font/ttf"),
    (&["otf"], "font/otf"),
];

/// First bytes, and what they mean. Nothing that a browser would run is among them.
const STARTS: &[(&[u8], &str)] = &[
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\0asm", "application/wasm"),
];

/// The media type of a file with this name, or else with these first bytes.
pub(super) fn media(name: Option<&str>, start: &[u8]) -> &'static str {
    let end = name.and_then(|name| name.rsplit_once('.')).map(|(_, end)| end.to_ascii_lowercase());
    if let Some(end) = end
        && let Some((_, media)) = TYPES.iter().find(|(ends, _)| ends.contains(&end.as_str()))
    {
        return media;
    }
    let start = &start[..start.len().min(SNIFFED_BYTES)];
    let known = STARTS.iter().find(|(bytes, _)| start.starts_with(bytes));
    known.map_or_else(|| if is_text(start) { TEXT } else { UNKNOWN }, |(_, media)| media)
}

/// Whether it can be the start of a text: UTF-8 up to a letter that is cut, without controls.
fn is_text(start: &[u8]) -> bool {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.contains(|c: char| c.is_control() && !"\t\n\r\x0c\x1b".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_counts_before_the_content() {
        assert_eq!(media(Some("a.HTML"), b"\x89PNG\r\n\x1a\n"), "text/html; charset=utf-8");
        assert_eq!(media(Some("a.tar.gz"), b""), "application/gzip");
        assert_eq!(media(Some("a.unknown"), b"hello"), TEXT);
        assert_eq!(media(Some("png"), b"\0"), UNKNOWN);
    }

    #[test]
    fn content_without_a_name_is_a_picture_or_text_or_unknown_and_never_runs() {
        assert_eq!(media(None, b"\x89PNG\r\n\x1a\n1"), "image/png");
        assert_eq!(media(None, b"<script>alert(1)</script>"), TEXT);
        assert_eq!(media(None, "été".as_bytes()), TEXT);
        assert_eq!(media(None, &"é".as_bytes()[..1]), UNKNOWN);
        assert_eq!(media(None, b"a\0b"), UNKNOWN);
        assert_eq!(media(None, b""), UNKNOWN);
        let cut = [&[b'a'; 511][..], "é".as_bytes()].concat();
        assert_eq!(media(None, &cut), TEXT);
    }
}
