//! The opcode table: each fact about an op stands here, once.
//!
//! A row gives, in this order: the opcode byte, the variant's name, the mnemonic of the text form,
//! the operands (`name: Kind type`), the stack effect `[pops => pushes]` (numbers, or expressions
//! over the operands; `declared` where the import table or the sub decides), how control goes on, the
//! family, the capability that the op needs, the stack picture, and the meaning.
//!
//! The order of the rows is the order of [`Op`](super::Op)'s variants, on which serialized chunks of
//! the 0.9 line depend: append, never insert. Bytes are literals; a retired one stays reserved.

/// Hands the table to the macro named, as `name! { rows }`.
macro_rules! for_each_op {
    ($callback:ident) => {
        $callback! {
            // Constants
            0x00 Nop "nop" [0 => 0] Next Constants NONE "--" "Does nothing.";
            0x01 LoadInt "load_int" (value: Int i64) [0 => 1] Next Constants NONE "-- v" "Pushes the integer.";
            0x02 LoadFloat "load_float" (value: Float f64) [0 => 1] Next Constants NONE "-- v" "Pushes the float; it stays one, `2.0` and `-0.0` included.";
            0x03 LoadConst "load_const" (index: Const u16) [0 => 1] Next Constants NONE "-- v" "Pushes the constant.";
            0x04 LoadTrue "load_true" [0 => 1] Next Constants NONE "-- v" "Pushes true.";
            0x05 LoadFalse "load_false" [0 => 1] Next Constants NONE "-- v" "Pushes false.";
            0x06 LoadUndef "load_undef" [0 => 1] Next Constants NONE "-- v" "Pushes Undef.";

            // Stack
            0x07 Pop "pop" [1 => 0] Next Stack NONE "a --" "Drops the top.";
            0x08 Dup "dup" [1 => 2] Next Stack NONE "a -- a a" "Copies the top.";
            0x09 Dup2 "dup2" [2 => 4] Next Stack NONE "a b -- a b a b" "Copies the two topmost.";
            0x0a Swap "swap" [2 => 2] Next Stack NONE "a b -- b a" "Exchanges the two topmost.";
            0x0b Rot "rot" [3 => 3] Next Stack NONE "a b c -- b c a" "Brings the third to the top.";

            // Variables
            0x0c GetVar "get_var" (name: Name u16) [0 => 1] Next Variables NONE "-- v" "Reads the global; unset reads as Undef.";
            0x0d SetVar "set_var" (name: Name u16) [1 => 0] Next Variables NONE "v --" "Writes the global.";
            0x0e DeclareVar "declare_var" (name: Name u16) [1 => 0] Next Variables NONE "v --" "Declares the global with this value.";
            0x0f GetSlot "get_slot" (slot: Slot u16) [0 => 1] Next Variables NONE "-- v" "Reads the slot of the current frame.";
            0x10 SetSlot "set_slot" (slot: Slot u16) [1 => 0] Next Variables NONE "v --" "Writes the slot of the current frame.";
            0x11 SlotArrayGet "slot_array_get" (slot: Slot u16) [1 => 1] Next Variables NONE "i -- v" "Reads an element of the array in the slot; not an array, or out of range: Undef.";
            0x12 SlotArraySet "slot_array_set" (slot: Slot u16) [2 => 0] Next Variables NONE "v i --" "Stores an element of the array in the slot, in place; it grows with Undef; not an array: no effect; a negative index traps.";

            // Arrays
            0x13 GetArray "get_array" (name: Name u16) [0 => 1] Next Arrays NONE "-- v" "Reads the global.";
            0x14 SetArray "set_array" (name: Name u16) [1 => 0] Next Arrays NONE "v --" "Writes the global.";
            0x15 DeclareArray "declare_array" (name: Name u16) [0 => 0] Next Arrays NONE "--" "Makes the global an empty array.";
            0x16 ArrayGet "array_get" (name: Name u16) [1 => 1] Next Arrays NONE "i -- v" "Reads an element; not an array, negative or out of range: Undef.";
            0x17 ArraySet "array_set" (name: Name u16) [2 => 0] Next Arrays NONE "v i --" "Stores an element; the array grows with Undef; not an array: no effect; a negative index traps.";
            0x18 ArrayPush "array_push" (name: Name u16) [1 => 0] Next Arrays NONE "v --" "Appends; not an array: no effect.";
            0x19 ArrayPop "array_pop" (name: Name u16) [0 => 1] Next Arrays NONE "-- v" "Takes the last element; Undef when empty.";
            0x1a ArrayShift "array_shift" (name: Name u16) [0 => 1] Next Arrays NONE "-- v" "Takes the first element; Undef when empty.";
            0x1b ArrayLen "array_len" (name: Name u16) [0 => 1] Next Arrays NONE "-- n" "Pushes the number of elements; not an array: 0.";
            0x1c MakeArray "make_array" (count: Count u16) [count => 1] Next Arrays NONE "v1..vn -- a" "Makes an array of the n topmost.";

            // Hashes
            0x1d GetHash "get_hash" (name: Name u16) [0 => 1] Next Hashes NONE "-- v" "Reads the global.";
            0x1e SetHash "set_hash" (name: Name u16) [1 => 0] Next Hashes NONE "v --" "Writes the global.";
            0x1f DeclareHash "declare_hash" (name: Name u16) [0 => 0] Next Hashes NONE "--" "Makes the global an empty hash.";
            0x20 HashGet "hash_get" (name: Name u16) [1 => 1] Next Hashes NONE "k -- v" "Reads an entry; not a hash, or absent: Undef.";
            0x21 HashSet "hash_set" (name: Name u16) [2 => 0] Next Hashes NONE "v k --" "Stores an entry; not a hash: no effect.";
            0x22 HashDelete "hash_delete" (name: Name u16) [1 => 1] Next Hashes NONE "k -- v" "Removes an entry and pushes it; the last entry moves into the gap.";
            0x23 HashExists "hash_exists" (name: Name u16) [1 => 1] Next Hashes NONE "k -- bool" "Tells whether the key is there; not a hash: false.";
            0x24 HashKeys "hash_keys" (name: Name u16) [0 => 1] Next Hashes NONE "-- a" "Pushes the keys in the hash's order; not a hash: an empty array.";
            0x25 HashValues "hash_values" (name: Name u16) [0 => 1] Next Hashes NONE "-- a" "Pushes the values in the hash's order; not a hash: an empty array.";
            0x26 MakeHash "make_hash" (count: Count u16) [count => 1] Next Hashes NONE "k1 v1..kn vn -- h" "Makes a hash of the topmost values; the operand counts values, two for each entry.";

            // Arithmetic
            0x27 Add "add" [2 => 1] Next Arithmetic NONE "a b -- r" "Adds; Int with Int wraps, any other mix as Float.";
            0x28 Sub "sub" [2 => 1] Next Arithmetic NONE "a b -- r" "Subtracts; Int with Int wraps, any other mix as Float.";
            0x29 Mul "mul" [2 => 1] Next Arithmetic NONE "a b -- r" "Multiplies; Int with Int wraps, any other mix as Float.";
            0x2a Div "div" [2 => 1] Next Arithmetic NONE "a b -- r" "Divides as Float; divisor zero: Undef.";
            0x2b Mod "mod" [2 => 1] Next Arithmetic NONE "a b -- r" "Remainder with the sign of a; Int by zero is 0, Float by zero NaN.";
            0x2c Pow "pow" [2 => 1] Next Arithmetic NONE "a b -- r" "Power, always Float.";
            0x2d Negate "negate" [1 => 1] Next Arithmetic NONE "a -- r" "Negates; an Int wraps, any other becomes Float.";
            0x2e Inc "inc" [1 => 1] Next Arithmetic NONE "a -- r" "To Int (saturating from Float), then plus 1, wrapping.";
            0x2f Dec "dec" [1 => 1] Next Arithmetic NONE "a -- r" "To Int (saturating from Float), then minus 1, wrapping.";

            // Strings
            0x30 Concat "concat" [2 => 1] Next Strings NONE "a b -- s" "Joins the string forms.";
            0x31 StringRepeat "string_repeat" [2 => 1] Next Strings NONE "s n -- s" "Repeats the string form; n below 1: empty.";
            0x32 StringLen "string_len" [1 => 1] Next Strings NONE "s -- n" "Bytes of a string, elements of a collection, else the length of the string form.";

            // Comparison
            0x33 NumEq "num_eq" [2 => 1] Next Comparison NONE "a b -- bool" "Equal as numbers; Int with Int exact, else as Float.";
            0x34 NumNe "num_ne" [2 => 1] Next Comparison NONE "a b -- bool" "Not equal as numbers.";
            0x35 NumLt "num_lt" [2 => 1] Next Comparison NONE "a b -- bool" "Less as numbers.";
            0x36 NumGt "num_gt" [2 => 1] Next Comparison NONE "a b -- bool" "Greater as numbers.";
            0x37 NumLe "num_le" [2 => 1] Next Comparison NONE "a b -- bool" "Less or equal as numbers.";
            0x38 NumGe "num_ge" [2 => 1] Next Comparison NONE "a b -- bool" "Greater or equal as numbers.";
            0x39 Spaceship "spaceship" [2 => 1] Next Comparison NONE "a b -- int" "-1, 0 or 1 as numbers; NaN gives 0.";
            0x3a StrEq "str_eq" [2 => 1] Next Comparison NONE "a b -- bool" "Equal, bytewise on the string forms.";
            0x3b StrNe "str_ne" [2 => 1] Next Comparison NONE "a b -- bool" "Not equal, bytewise on the string forms.";
            0x3c StrLt "str_lt" [2 => 1] Next Comparison NONE "a b -- bool" "Less, bytewise on the string forms.";
            0x3d StrGt "str_gt" [2 => 1] Next Comparison NONE "a b -- bool" "Greater, bytewise on the string forms.";
            0x3e StrLe "str_le" [2 => 1] Next Comparison NONE "a b -- bool" "Less or equal, bytewise on the string forms.";
            0x3f StrGe "str_ge" [2 => 1] Next Comparison NONE "a b -- bool" "Greater or equal, bytewise on the string forms.";
            0x40 StrCmp "str_cmp" [2 => 1] Next Comparison NONE "a b -- int" "-1, 0 or 1, bytewise on the string forms.";

            // Logic
            0x41 LogNot "log_not" [1 => 1] Next Logic NONE "a -- bool" "The opposite truth.";
            0x42 LogAnd "log_and" [2 => 1] Next Logic NONE "a b -- bool" "Both true; both were evaluated.";
            0x43 LogOr "log_or" [2 => 1] Next Logic NONE "a b -- bool" "Either true; both were evaluated.";
            0x44 BitAnd "bit_and" [2 => 1] Next Logic NONE "a b -- r" "And of the bits, on Int.";
            0x45 BitOr "bit_or" [2 => 1] Next Logic NONE "a b -- r" "Or of the bits, on Int.";
            0x46 BitXor "bit_xor" [2 => 1] Next Logic NONE "a b -- r" "Exclusive or of the bits, on Int.";
            0x47 BitNot "bit_not" [1 => 1] Next Logic NONE "a -- r" "Complement of the bits, on Int.";
            0x48 Shl "shl" [2 => 1] Next Logic NONE "a n -- r" "Shifts left; the count is masked with 63.";
            0x49 Shr "shr" [2 => 1] Next Logic NONE "a n -- r" "Shifts right keeping the sign; the count is masked with 63.";

            // Control
            0x4a Jump "jump" (target: Target usize) [0 => 0] Jump Control NONE "--" "Goes to the target; the number of ops as target ends the run.";
            0x4b JumpIfTrue "jump_if_true" (target: Target usize) [1 => 0] Branch Control NONE "a --" "Goes to the target if a is true.";
            0x4c JumpIfFalse "jump_if_false" (target: Target usize) [1 => 0] Branch Control NONE "a --" "Goes to the target if a is false.";
            0x4d JumpIfTrueKeep "jump_if_true_keep" (target: Target usize) [1 => 1] Branch Control NONE "a -- a" "Goes to the target if a is true; a stays on both ways.";
            0x4e JumpIfFalseKeep "jump_if_false_keep" (target: Target usize) [1 => 1] Branch Control NONE "a -- a" "Goes to the target if a is false; a stays on both ways.";

            // Functions
            0x4f Call "call" (name: Name u16, argc: Argc u8) [declared] Next Functions NONE "args -- r?" "Calls the sub, or the imported function, of that name.";
            0x50 Return "return" [0 => 0] Return Functions NONE "--" "Ends the innermost call without a result, or the run.";
            0x51 ReturnValue "return_value" [1 => 0] Return Functions NONE "v --" "Ends the innermost call with v as its result, or the run.";
            0x52 PushFrame "push_frame" [0 => 0] Scope Functions NONE "--" "Opens a scope with fresh slots.";
            0x53 PopFrame "pop_frame" [0 => 0] Scope Functions NONE "--" "Closes the scope and drops what was pushed within.";

            // Io
            0x54 Print "print" (count: Count8 u8) [count => 0] Next Io NONE "v1..vn --" "Prints the string forms, without separator.";
            0x55 PrintLn "print_ln" (count: Count8 u8) [count => 0] Next Io NONE "v1..vn --" "Prints the string forms and a newline.";
            0x56 ReadLine "read_line" [0 => 1] Next Io NONE "-- s" "Reads a line without its newline; Undef at the end of input.";

            // Collections
            0x57 Range "range" [2 => 1] Next Collections NONE "from to -- a" "The integers from..to, inclusive; reversed: empty.";
            0x58 RangeStep "range_step" [3 => 1] Next Collections NONE "from to step -- a" "The integers by step; 0: empty, negative counts down.";
            0x59 MapBlock "map_block" (block: Block u16) [1 => 1] Next Collections NONE "a -- a" "Runs the block for each element; what it leaves is the result's element.";
            0x5a GrepBlock "grep_block" (block: Block u16) [1 => 1] Next Collections NONE "a -- a" "Keeps the elements for which the block leaves something true.";
            0x5b SortBlock "sort_block" (block: Block u16) [1 => 1] Next Collections NONE "a -- a" "Sorts by the block, which gets x y and leaves a number; stable.";
            0x5c SortDefault "sort_default" [1 => 1] Next Collections NONE "a -- a" "Sorts by string form; stable.";
            0x5d ForEachBlock "for_each_block" (block: Block u16) [1 => 0] Next Collections NONE "a --" "Runs the block for each element.";

            // Fused
            0x5e PreIncSlot "pre_inc_slot" (slot: Slot u16) [0 => 1] Next Fused NONE "-- n" "Slot to Int, plus 1, and pushes it.";
            0x5f SlotLtIntJumpIfFalse "slot_lt_int_jump_if_false" (slot: Slot u16, limit: Imm i32, target: Target usize) [0 => 0] Branch Fused NONE "--" "Goes to the target unless slot < limit.";
            0x60 SlotIncLtIntJumpBack "slot_inc_lt_int_jump_back" (slot: Slot u16, limit: Imm i32, target: Target usize) [0 => 0] Branch Fused NONE "--" "Slot plus 1; goes to the target if slot < limit.";
            0x61 AccumSumLoop "accum_sum_loop" (sum: Slot u16, i: Slot u16, limit: Imm i32) [0 => 0] Next Fused NONE "--" "While i < limit: sum += i, i += 1; both slots become Int.";
            0x62 ConcatConstLoop "concat_const_loop" (index: Const u16, s: Slot u16, i: Slot u16, limit: Imm i32) [0 => 0] Next Fused NONE "--" "While i < limit: s .= constant, i += 1; s becomes Str, i Int.";
            0x63 PushIntRangeLoop "push_int_range_loop" (array: Name u16, i: Slot u16, limit: Imm i32) [0 => 0] Next Fused NONE "--" "While i < limit: push i to the array, i += 1; i becomes Int, the global an array.";
            0x64 AddAssignSlotVoid "add_assign_slot_void" (a: Slot u16, b: Slot u16) [0 => 0] Next Fused NONE "--" "a += b, as Int.";
            0x65 PreIncSlotVoid "pre_inc_slot_void" (slot: Slot u16) [0 => 0] Next Fused NONE "--" "Slot to Int, plus 1.";

            // Extensions
            0x66 CallBuiltin "call_builtin" (id: Id u16, argc: Argc u8) [declared] Next Extensions NONE "args -- r" "Calls the builtin of that number.";
            0x67 Extended "extended" (id: Id u16, arg: Code u8) [declared] Next Extensions NONE "declared" "The frontend's own op.";
            0x68 ExtendedWide "extended_wide" (id: Id u16, payload: Payload usize) [declared] Next Extensions NONE "declared" "The frontend's own op with a wide operand.";

            // Shell
            0x69 Exec "exec" (argc: Argc u8) [argc => 1] Next Shell EXEC "argv -- status" "Runs a command and waits; arrays flatten into words.";
            0x6a ExecBg "exec_bg" (argc: Argc u8) [argc => 1] Next Shell EXEC "argv -- status" "Starts a command without waiting.";
            0x6b PipelineBegin "pipeline_begin" (stages: Count8 u8) [0 => 0] Next Shell EXEC "--" "Begins a pipeline of n stages.";
            0x6c PipelineStage "pipeline_stage" [0 => 0] Next Shell EXEC "--" "Begins the pipeline's next stage.";
            0x6d PipelineEnd "pipeline_end" [0 => 1] Next Shell EXEC "-- status" "Ends the pipeline and pushes its status.";
            0x6e Redirect "redirect" (fd: Code u8, op: Code u8) [1 => 0] Next Shell REDIRECT "target --" "Redirects a descriptor for the next command.";
            0x6f HereDoc "here_doc" (index: Const u16) [0 => 0] Next Shell NONE "--" "The constant becomes standard input of the command.";
            0x70 HereString "here_string" [1 => 0] Next Shell NONE "word --" "Word and newline become standard input of the command.";
            0x71 CmdSubst "cmd_subst" (block: Block u16) [0 => 1] Next Shell EXEC "-- s" "The output of the block, without trailing newlines.";
            0x72 SubshellBegin "subshell_begin" [0 => 0] Next Shell EXEC "--" "Begins a subshell.";
            0x73 SubshellEnd "subshell_end" [0 => 0] Next Shell EXEC "--" "Ends a subshell.";
            0x74 ProcessSubIn "process_sub_in" (block: Block u16) [0 => 1] Next Shell EXEC "-- path" "A path that reads from the block.";
            0x75 ProcessSubOut "process_sub_out" (block: Block u16) [0 => 1] Next Shell EXEC "-- path" "A path that writes to the block.";
            0x76 Glob "glob" [1 => 1] Next Shell READ "pattern -- a" "The names that match, sorted.";
            0x77 GlobRecursive "glob_recursive" [1 => 1] Next Shell READ "pattern -- a" "The names that match, `**` crossing directories, sorted.";
            0x78 TestFile "test_file" (test: Code u8) [1 => 1] Next Shell READ "path -- bool" "Tests a file.";
            0x79 SetStatus "set_status" [1 => 0] Next Shell NONE "s --" "Sets `$?`.";
            0x7a GetStatus "get_status" [0 => 1] Next Shell NONE "-- status" "Pushes `$?`.";
            0x7b TrapSet "trap_set" (block: Block u16) [1 => 0] Next Shell NONE "signal --" "Sets the block as the signal's trap.";
            0x7c TrapCheck "trap_check" [0 => 0] Next Shell NONE "--" "Runs the traps that are pending.";
            0x7d ExpandParam "expand_param" (modifier: Code u8) [param_pops(modifier) => 1] Next Shell ENV "name args -- s" "Expands a parameter.";
            0x7e WordSplit "word_split" [1 => 1] Next Shell NONE "s -- a" "Splits into words by IFS.";
            0x7f BraceExpand "brace_expand" [1 => 1] Next Shell NONE "s -- a" "Expands braces.";
            0x80 TildeExpand "tilde_expand" [1 => 1] Next Shell ENV "s -- s" "Expands a leading tilde.";

            // Level 2
            0x81 RedirectMark "redirect_mark" [0 => 0] Next Shell NONE "--" "The redirections since the last command become those of all ops up to the `RedirectPop`, which are skipped if one of them failed.";
            0x82 RedirectPop "redirect_pop" [0 => 0] Next Shell NONE "--" "Undoes the redirections of its `RedirectMark`.";
        }
    };
}

pub(crate) use for_each_op;
