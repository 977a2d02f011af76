//! Pieces of target URLs that several targets share.

/// Decodes percent signs; `None` where two hexadecimal digits do not follow one, or the bytes are no UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let pair = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).ok()
}

/// The pairs of a query, still encoded; a key without `=` has an empty value.
pub(crate) fn split_query(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The URL as it may be shown: without the password, wherever it stood.
pub(crate) fn without_password(url: &str) -> String {
    let (head, query) = match url.split_once('?') {
        Some((head, query)) => (head, Some(query)),
        None => (url, None),
    };
    let mut out = match (head.split_once("//"), head.rfind('@')) {
        (Some((scheme, rest)), Some(at)) => {
            let user = &rest[..at - scheme.len() - 2];
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{scheme}//{user}{}", &head[at..])
        }
        _ => head.to_owned(),
    };
    if let Some(query) = query {
        let kept: Vec<&str> = query
            .split('&')
            .filter(|pair| !pair.starts_with("password="))
            .collect();
        if !kept.is_empty() {
            out.push('?');
            out.push_str(&kept.join("&"));
        }
    }
    out
}
