//! Generates the bindings from the built library; `generate.sh` calls it.

fn main() {
    uniffi::uniffi_bindgen_main();
}
