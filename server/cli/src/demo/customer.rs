//! The customer, who opens a one-time link in a browser and answers (R-REVISIT-1).

use super::house::desk_failed;
use super::progress::require;
use crate::CommandResult;
use crate::desk::Http;

/// Opens the link's page and sends its form; the link must not work twice.
///
/// # Errors
/// When the page does not come, or the answer is not taken.
pub fn customer_answers(http: &Http, url: &str, solved: bool, score: u8, words: &str) -> CommandResult {
    // The link may name the server's public address; the demo reaches it where it listens.
    let path = url.find("/r/").map_or(url, |at| &url[at..]);
    let page = http.send("GET", path, &[], &[]).map_err(desk_failed)?;
    require(page.status == 200 && page.content_type == "text/html", "the one-time link shows a page")?;
    let text = page.text();
    require(text.contains("<form") && text.contains("score"), "the page asks for an answer and a score")?;
    let answer = format!("solved={}&score={score}&words={}", if solved { "yes" } else { "no" }, form_encoded(words));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answered = http.send("POST", path, &form, answer.as_bytes()).map_err(desk_failed)?;
    require(answered.status == 200, format!("the customer's answer is taken, not refused with {}", answered.status))?;
    let again = http.send("POST", path, &form, answer.as_bytes()).map_err(desk_failed)?;
    require(again.status == 410, format!("a one-time link works once, the second time says {}", again.status))
}

/// As a browser sends a form's text (WHATWG URL, application/x-www-form-urlencoded).
fn form_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::form_encoded;

    #[test]
    fn form_text_is_encoded_as_browsers_do() {
        assert_eq!(form_encoded("a b&c=好"), "a+b%26c%3D%E5%A5%BD");
    }
}
