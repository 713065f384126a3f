//! `traceparent` (W3C Trace Context): taken into the logs and given back.

use http::{HeaderMap, HeaderValue};

/// Name of the header.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// The header's value where it is well-formed: `00-<32 hex>-<16 hex>-<2 hex>`, ids not all zero.
pub(crate) fn parent(headers: &HeaderMap) -> Option<&HeaderValue> {
    let value = headers.get(TRACEPARENT)?;
    let parts: Vec<&str> = value.to_str().ok()?.split('-').collect();
    let [version, trace, span, flags] = parts.as_slice() else { return None };
    let hexadecimal = |part: &str, length: usize| {
        part.len() == length
            && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let sound = hexadecimal(version, 2)
        && *version != "ff"
        && hexadecimal(trace, 32)
        && hexadecimal(span, 16)
        && hexadecimal(flags, 2)
        && trace.bytes().any(|byte| byte != b'0')
        && span.bytes().any(|byte| byte != b'0');
    sound.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_parent_is_taken() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, HeaderValue::from_static(value));
            parent(&headers).is_some()
        };
        assert!(with("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!with("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
        assert!(!with("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"));
        assert!(!with("00-4bf92f3577b34da6-00f067aa0ba902b7-01"));
    }
}
