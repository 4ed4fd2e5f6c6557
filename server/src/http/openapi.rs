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
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}
