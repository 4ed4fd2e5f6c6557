//! The OpenAPI document is the code's, and says something of every route.

use callout_server::http::openapi::openapi_json;
use callout_server::http::routes::routes_all;
use serde_json::Value;
use std::path::Path;

fn document() -> Value {
    serde_json::from_str(&openapi_json()).unwrap()
}

#[test]
fn the_committed_document_is_the_codes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/openapi.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let line = callout_cli::openapi::first_difference(&committed, &openapi_json());
    assert_eq!(line, None, "openapi/openapi.json differs; write it anew: cargo run -- openapi > openapi/openapi.json");
}

#[test]
fn every_route_is_documented_with_its_roles() {
    let document = document();
    assert_eq!(document["openapi"].as_str().unwrap().split('.').take(2).collect::<Vec<_>>(), ["3", "1"]);
    for route in routes_all() {
        // An operation that answers OPTIONS or HEAD says nothing that its siblings do not say, but it is there all the same.
        let operation = &document["paths"][route.path][route.method.to_ascii_lowercase()];
        let place = format!("{} {}", route.method, route.path);
        assert!(operation.is_object(), "{place} is not documented");
        assert!(operation["responses"].as_object().is_some_and(|r| !r.is_empty()), "{place} has no answers");
        assert!(operation["summary"].is_string() || operation["description"].is_string(), "{place} says nothing");
        let roles = operation["x-callout-roles"].as_array().map_or(0, Vec::len);
        assert_eq!(roles, route.action.roles().len(), "{place}");
    }
}

/// Whatever the document refers to is in it.
#[test]
fn no_reference_is_dangling() {
    fn walk(value: &Value, root: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').expect("references stay inside the document");
                    assert!(root.pointer(pointer).is_some(), "{reference}");
                }
                fields.values().for_each(|value| walk(value, root));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, root)),
            _ => {}
        }
    }
    let document = document();
    walk(&document, &document);
}
