//! Do the commands print what the files under `cmd` say? Each file is a list of command lines with
//! their output and, behind a `?`, their exit status; `NAME.in` holds the files that they find.
//!
//! `TRYCMD=overwrite cargo test -p fusevm-cli --test commands` writes what they print now.

#[test]
fn commands_print_what_their_files_say() {
    trycmd::TestCases::new()
        // Native code of earlier runs would show in what they tell.
        .env("FUSEVM_CACHE_DIR", "off")
        .case("tests/cmd/*.trycmd");
}
