//! Modules at which printers of the text form part: spelling, order, what is declared ahead, comments.
//!
//! They are written here by hand, in no canonical way. The specification has them as modules, each
//! with its canonical text.

/// Name and text of each module.
pub const TEXTS: [(&str, &str); 6] = [
    ("spelling", SPELLING),
    ("names", NAMES),
    ("tables", TABLES),
    ("mentions", MENTIONS),
    ("places", PLACES),
    ("imports", IMPORTS),
];

/// Every way to spell a constant.
const SPELLING: &str = r#"
.meta title "T\tab"
.meta _word word
.meta "no word" "\xff\u{202e}"
.const 0.0
.const -0.0
.const 1e15
.const 9999999999999998.0
.const 1e16
.const 123456789012345680000.0
.const 1.7976931348623157e308
.const 5e-324
.const 0.0001
.const 0.00009999
.const -2.5e-7
.const 0.1
.const 1e2
.const 9007199254740993.0
.const inf
.const -inf
.const nan
.const nan(0xfff8000000000000)
.const nan(0x7ff0000000000001)
.const "\0\t\n\r\e\\\"\x01\x1f\x7f "
.const "\x80\xc3\xa4\xc3\xed\xa0\x80\xf4\x90\x80\x80\xff"
.const "é\u{301}漢字😀\u{300}"
.const "\u{80}\u{9f}\u{a0}\u{ad}\u{61c}\u{180e}\u{200a}\u{200b}\u{200f}\u{2010}\u{2027}\u{2028}\u{202e}\u{202f}"
.const "\u{2060}\u{206f}\u{2070}\u{d7ff}\u{e000}\u{f8ff}\u{f900}\u{feff}\u{fff8}\u{fff9}\u{fffb}\u{fffd}\u{dffff}\u{e0000}\u{10ffff}"
.const {word: 1, "no word": [], "": {}, "\xff": ref(ref([1, {a: status(-1)}]))}
.const [undef, true, false, -9223372036854775808, 0x7fff_ffff_ffff_ffff, status(-2147483648), builtin(65535)]
    load_float 1E+16
    load_float nan(0x7ff8_0000_0000_0001)
    test_file 3
    test_file 12
    redirect 3 0
    redirect 3 9
    expand_param 17
    expand_param 18
"#;

/// Chunks with all that a record says, and names that are no words.
const NAMES: &str = r#"
.chunk "with space"
.space "a.b"
.key word
.source "x.sh"
.link "00000000000000000000000000000000000000000000000000000000000000Ff" mtime -9223372036854775808 size 18446744073709551615
    get_var "a b"
    get_var "ünï"
    get_var undef
    .line 7
    get_var _a.b9
    get_var "9a"
.chunk ""
.chunk inf
.line auto
    call "" 0

    nop
"#;

/// Tables of which some entries stand ahead.
const TABLES: &str = r#"
.name b
.name a
.name unused
.name c
.name d
.const 2
.const 2
.const "unused"
.const 3
.const 4
.sub late at @3
.sub early at @1
.sub first args 2
    get_var a
    load_const 3
    get_var c
    load_const #1
.sub second args 1
.sub second
    get_var d
    load_const 4
    jump there
    jump @99
    jump_if_true here
here:
    return
.sub end args 0
there:
.chunk alike
    get_var #1
    get_var #0
.name x
.name x
.name x
    get_var x
    load_const #9
"#;

/// Long and repeated names and constants, with their comments.
const MENTIONS: &str = r#"
    load_const "this constant has more bytes than sixty with its two quotes, just"
    load_const "this constant has more bytes than sixty with its two quotes, just"
    load_const "this constant has sixty bytes with its two quotes, no more"
    load_const "this constant has sixty bytes with its two quotes, no more"
    get_var "ääääääääääääääääääääääääääääääää is longer"
    set_var "ääääääääääääääääääääääääääääääää is longer"
    get_var a_word_that_is_longer_than_sixty_bytes_and_is_therefore_cut_behind_forty
    call a_word_that_is_longer_than_sixty_bytes_and_is_therefore_cut_behind_forty 12
    push_int_range_loop a_word_that_is_longer_than_sixty_bytes_and_is_therefore_cut_behind_forty 65535 -2147483648
.const 1
.const 1
.const [1, 2, 3]
.const [1, 2, 3]
    load_const #3
    load_const #5
    concat_const_loop #3 1 2 3
.block outer
    array_push a_word_that_is_longer_than_sixty_bytes_and_is_therefore_cut_behind_forty
    load_const #3
.endblock
    for_each_block outer
    map_block #1
"#;

/// Blocks and subs that stand in place, and blocks that can't.
const PLACES: &str = r#"
.chunk nested
.block a
.block empty
.endblock
    nop
.block b
.block c
.block d
.block e
.block f
.block g
.block h
.block i
    .line 3
    nop
target:
    jump target
.endblock
.endblock
.endblock
.endblock
.endblock
.endblock
.endblock
.endblock
.endblock
.block next
.block last
.endblock
.endblock
.chunk overlapping
.block a from @0 to @2
.block b from @1 to @3
.block c from @3 to @3
.block d from @3 to @4
    nop
    nop
    nop
    nop
.chunk falling
.block a from @2 to @3
.block b from @0 to @1
.block beyond from @3 to @9
.block c from @0 to @3
.block d from @1 to @2
.block e from @2 to @2
    nop
    nop
    nop
.chunk only_subs
.sub a
.sub b args 3
.chunk sub_in_block
.block a
    nop
.sub s args 1
    nop
.endblock
.end
    nop
"#;

/// Imports of every kind, with defaults and without.
const IMPORTS: &str = r#"
.import function called pops argc pushes 1 touches globals
.import function declared
.import function "é" pops argc pushes 1 touches frames
.import function zed space "name space" unknown
.import builtin 9 twice pops 0 pushes 255 touches nothing
.import builtin 3 twice pops argc pushes 2
.import builtin 4 pops argc pushes 1 touches globals slots
.import builtin 5 "pops" space lib
.import extension 0 this_name_is_longer_than_what_an_operand_would_want_to_show_there pops 1 pushes 0
.import extension 1 "two words" touches slots frames
.import extension_wide 65535 touches everything
    call_builtin twice 1
    call_builtin 9 1
    call_builtin 4 0
    call_builtin "pops" 2
    call_builtin 77 2
    extended 0 1
    extended "two words" 255
    extended_wide 65535 18446744073709551615
    call called 1
    call zed 0
    call elsewhere 3
"#;
