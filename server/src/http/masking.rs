//! Personal data as it is shown to those who do not need it (R-PRIVACY-1).

/// The first character, and a star for each of the others, five at most: `张**`.
pub fn mask_name(name: &str) -> String {
    let mut characters = name.chars();
    let first: String = characters.next().into_iter().collect();
    first + &"*".repeat(characters.count().clamp(1, 5))
}

/// The first three and the last two digits of a long number; of a short one, the last two.
pub fn mask_phone(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
    let shown_first = if digits.len() >= 8 { 3 } else { 0 };
    let shown_last = if digits.len() >= 5 { 2 } else { 0 };
    digits
        .iter()
        .enumerate()
        .map(|(i, digit)| if i < shown_first || i + shown_last >= digits.len() { *digit } else { '*' })
        .collect()
}
