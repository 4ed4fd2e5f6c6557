//! `callout openapi`: the OpenAPI document made from the code, and the check that the committed file is that document.

use crate::arguments::OpenapiArguments;
use crate::{CommandError, CommandResult};
use callout_server::http::openapi::openapi_json;

/// Prints the document, or compares it.
///
/// # Errors
/// When the file cannot be read or differs.
pub fn run(arguments: &OpenapiArguments) -> CommandResult {
    let document = openapi_json();
    let Some(path) = &arguments.check else {
        print!("{document}");
        return Ok(());
    };
    let file = std::fs::read_to_string(path).map_err(|error| CommandError::because(path.display(), &error))?;
    match first_difference(&file, &document) {
        None => Ok(()),
        Some(line) => Err(CommandError::new(format!(
            "{} differs from the code at line {line}; write it anew with: callout openapi > {}",
            path.display(),
            path.display()
        ))),
    }
}

/// The first line (from 1) in which two texts differ.
pub fn first_difference(left: &str, right: &str) -> Option<usize> {
    if left == right {
        return None;
    }
    let differing = left.lines().zip(right.lines()).position(|(a, b)| a != b);
    Some(1 + differing.unwrap_or_else(|| left.lines().count().min(right.lines().count())))
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_differing_line_is_found() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
        assert_eq!(first_difference("a", "a\n"), Some(2));
    }
}
