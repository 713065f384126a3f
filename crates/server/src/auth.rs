//! Who may call: keys with scopes, by `Authorization: Bearer hw_...` or `X-Api-Key: hw_...`.

use headwater_registry::{KeyRecord, Registry, Scope};
use http::{HeaderMap, header};

use crate::problem::Problem;

/// The key of a request, if it has the scope.
pub(crate) fn authorise(
    registry: &Registry,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<KeyRecord, Problem> {
    let expected = || format!("`Authorization: Bearer hw_...` with a key of scope `{scope}`");
    let secret = secret(headers).ok_or_else(|| Problem::new("missing_key").expected(expected()))?;
    let known = registry.authenticate(secret).map_err(|error| {
        tracing::error!(%error, "keys cannot be read");
        Problem::new("storage_failed")
    })?;
    let key = known.ok_or_else(|| Problem::new("unknown_key").expected(expected()))?;
    if key.allows(scope) {
        return Ok(key);
    }
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    Err(Problem::new("missing_scope").value(scopes.join(", ")).expected(format!("a key of scope `{scope}`")))
}

fn secret(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, secret) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
    });
    bearer.or_else(|| headers.get("x-api-key").and_then(|value| value.to_str().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_header_carries_the_secret() {
        let headers = |name, value: &str| HeaderMap::from_iter([(name, value.parse().unwrap())]);
        assert_eq!(secret(&headers(header::AUTHORIZATION, "bearer hw_1")), Some("hw_1"));
        assert_eq!(secret(&headers(header::AUTHORIZATION, "Basic hw_1")), None);
        assert_eq!(secret(&headers(header::HeaderName::from_static("x-api-key"), "hw_2")), Some("hw_2"));
        assert_eq!(secret(&HeaderMap::new()), None);
    }
}
