//! Every error code a client can meet, in one table that the replies, the OpenAPI document and the docs read.

/// A documented error code.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// Stable, snake_case.
    pub code: &'static str,
    /// The HTTP status of a reply with this code. Within a batch reply the code stands beside the item's index.
    pub status: u16,
    /// What it means, as the `title` of the reply.
    pub meaning: &'static str,
}

const fn code(code: &'static str, status: u16, meaning: &'static str) -> Code {
    Code { code, status, meaning }
}

/// All codes, by status and name.
pub const CODES: [Code; 36] = [
    code("malformed_json", 400, "The body is not JSON"),
    code("malformed_request", 400, "The request line, a header or the query cannot be read"),
    code("missing_key", 401, "The request carries no key"),
    code("unknown_key", 401, "The key is unknown or revoked"),
    code("missing_scope", 403, "The key does not have the scope this route asks for"),
    code("unknown_route", 404, "No such route"),
    code("unknown_decision", 404, "No decision with this request id is held"),
    code("unknown_item", 404, "No such item"),
    code("unknown_user", 404, "No such user"),
    code("method_not_allowed", 405, "The route does not take this method"),
    code("request_timeout", 408, "The request did not arrive in time"),
    code("body_too_large", 413, "The body is larger than the server takes"),
    code("event_too_large", 413, "One event is larger than a record may be"),
    code("too_many_events", 413, "The batch has more entries than the server takes at once"),
    code("unsupported_media_type", 415, "The content type is not one this route reads"),
    code("duplicate_field", 422, "A field stands twice in one object"),
    code("invalid_id", 422, "An id has characters that ids may not have"),
    code("invalid_time", 422, "A time is not RFC 3339"),
    code("missing_field", 422, "A required field is absent"),
    code("not_finite", 422, "A number is not finite"),
    code("out_of_range", 422, "A number is outside its range"),
    code("time_in_future", 422, "A time is more than 5 minutes ahead of the server's clock"),
    code("time_out_of_range", 422, "A time is before 1970"),
    code("too_long", 422, "An id, a text or a list is too long"),
    code("too_many_fields", 422, "An item, a user or a context has too many fields"),
    code("unknown_field", 422, "A field that is not declared in the settings, or not part of the request"),
    code("unknown_surface", 422, "No surface of this name is declared in the settings"),
    code("unknown_type", 422, "An event type that is not declared in the settings"),
    code("wrong_type", 422, "A value has the wrong type"),
    code("wrong_length", 422, "A vector has another length than its field's other vectors"),
    code("rate_limited", 429, "The key has used up its rate"),
    code("storage_failed", 500, "The server could not store or read what was asked; its log says why"),
    code("internal", 500, "The server failed; its log says why"),
    code("overloaded", 503, "The server has too many requests in hand"),
    code("timeout", 503, "The server took too long"),
    code("unavailable", 503, "The server is starting, stopping or behind its log"),
];

/// The row of a code; `internal` for one that is not in the table, which a test rules out.
pub fn find(code: &str) -> Code {
    let internal = Code { code: "internal", status: 500, meaning: "The server failed; its log says why" };
    CODES.iter().find(|known| known.code == code).copied().unwrap_or(internal)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Every quoted code that follows `marker` in the sources of `crate_name`.
    fn used(crate_name: &str, marker: &str, codes: &mut BTreeSet<String>) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(crate_name).join("src");
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let text = std::fs::read_to_string(path).unwrap();
                    for part in text.split(marker).skip(1) {
                        let part = part.trim_start();
                        let quoted = part.strip_prefix('"').and_then(|rest| rest.split('"').next());
                        // This very file quotes the markers; what follows them here is no code.
                        let code =
                            quoted.filter(|code| code.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()));
                        codes.extend(code.map(str::to_owned));
                    }
                }
            }
        }
    }

    #[test]
    fn every_code_in_use_is_in_the_table_once() {
        let mut codes = BTreeSet::new();
        used("base", "Invalid::new(", &mut codes);
        used("server", "Invalid::new(", &mut codes);
        used("server", "Problem::new(", &mut codes);
        used("server", "Self::new(", &mut codes);
        assert!(codes.contains("unknown_type") && codes.contains("rate_limited"), "{codes:?}");
        for code in &codes {
            assert_eq!(CODES.iter().filter(|known| known.code == code).count(), 1, "{code}");
        }
    }
}
