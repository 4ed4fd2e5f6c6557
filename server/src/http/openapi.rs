//! The OpenAPI document, made from the handlers' own attributes and the route table.

use super::nouns;
use super::routes::routes_all;
use serde_json::{Value, json};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, License, OpenApiBuilder};

/// The document as pretty JSON with a newline at its end, as it lies in `openapi/openapi.json`.
pub fn openapi_json() -> String {
    let mut document = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Callout")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some("Field work orders for network complaints. 网络投诉现场工单后台。"))
                .license(Some(License::new("Apache-2.0")))
                .build(),
        )
        .build();
    for noun in nouns() {
        document.merge((noun.openapi)());
    }
    let components = document.components.get_or_insert_with(Default::default);
    components.security_schemes.insert(
        "bearer".into(),
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build()).into(),
    );
    // A document of our own types always has a JSON form.
    let mut value = serde_json::to_value(&document).unwrap_or(Value::Null);
    for route in routes_all() {
        let Some(operation) = value
            .get_mut("paths")
            .and_then(|paths| paths.get_mut(route.path))
            .and_then(|path| path.get_mut(route.method.to_ascii_lowercase()))
        else {
            continue;
        };
        let roles = route.action.roles();
        if roles.is_empty() {
            operation["security"] = json!([]);
        } else {
            operation["security"] = json!([{ "bearer": [] }]);
            operation["x-callout-roles"] = json!(roles);
        }
    }
    for operation in operations(&mut value) {
        problems_describe(operation);
    }
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    document
        .get_mut("paths")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flat_map(|paths| paths.values_mut())
        .filter_map(Value::as_object_mut)
        .flat_map(|path| path.values_mut())
}

/// Any operation may be answered with a problem (RFC 9457); named ones get the media type that they really have.
fn problems_describe(operation: &mut Value) {
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for response in responses.values_mut() {
        let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) else { continue };
        let is_problem = |media: &Value| media.pointer("/schema/$ref").and_then(Value::as_str) == Some(PROBLEM_SCHEMA);
        if content.get("application/json").is_some_and(is_problem)
            && let Some(media) = content.remove("application/json")
        {
            content.insert("application/problem+json".into(), media);
        }
    }
    responses.entry("default").or_insert_with(|| {
        json!({
            "description": "A problem: not signed in, not allowed, not found, not valid, too many requests …",
            "content": { "application/problem+json": { "schema": { "$ref": PROBLEM_SCHEMA } } },
        })
    });
}

const PROBLEM_SCHEMA: &str = "#/components/schemas/Problem";
