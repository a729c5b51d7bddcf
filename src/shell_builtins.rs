//! The numbers of shell builtins, as shell frontends of the 0.9 line emit them in
//! [`Op::CallBuiltin`](crate::Op::CallBuiltin).
//!
//! Old chunks depend on the numbers. What a builtin does is the embedder's: see
//! [`VM::register_builtin`](crate::VM::register_builtin).
//!
//! ```
//! use fusevm::shell_builtins::{BUILTIN_CD, builtin_id};
//!
//! assert_eq!(builtin_id("chdir"), Some(BUILTIN_CD));
//! ```

/// One row for each builtin: the constant, its number, the names that stand for it.
macro_rules! builtins {
    ($($constant:ident = $number:literal $($name:literal)*;)*) => {
        $(
            #[doc = concat!("Number ", stringify!($number), $(" `", $name, "`",)*)]
            pub const $constant: u16 = $number;
        )*

        /// The number of the builtin of this name; `None` if there is none.
        pub fn builtin_id(name: &str) -> Option<u16> {
            match name {
                $($($name => Some($constant),)*)*
                _ => None,
            }
        }
    };
}

builtins! {
    // Core
    BUILTIN_CD = 0 "cd" "chdir";
    BUILTIN_PWD = 1 "pwd";
    BUILTIN_ECHO = 2 "echo";
    BUILTIN_PRINT = 3 "print";
    BUILTIN_PRINTF = 4 "printf";
    BUILTIN_EXPORT = 5 "export";
    BUILTIN_UNSET = 6 "unset";
    BUILTIN_SOURCE = 7 "source" ".";
    BUILTIN_EXIT = 8 "exit" "bye" "logout";
    BUILTIN_RETURN = 9 "return";
    BUILTIN_TRUE = 10 "true";
    BUILTIN_FALSE = 11 "false";
    BUILTIN_TEST = 12 "test" "[";
    BUILTIN_COLON = 13 ":";
    BUILTIN_DOT = 14;

    // Variables
    BUILTIN_LOCAL = 20 "local";
    BUILTIN_DECLARE = 21;
    BUILTIN_TYPESET = 22 "declare" "typeset";
    BUILTIN_READONLY = 23 "readonly";
    BUILTIN_INTEGER = 24 "integer";
    BUILTIN_FLOAT = 25 "float";

    // Input
    BUILTIN_READ = 30 "read";
    BUILTIN_MAPFILE = 31 "mapfile" "readarray";

    // Control
    BUILTIN_BREAK = 40 "break";
    BUILTIN_CONTINUE = 41 "continue";
    BUILTIN_SHIFT = 42 "shift";
    BUILTIN_EVAL = 43 "eval";
    BUILTIN_EXEC = 44 "exec";
    BUILTIN_COMMAND = 45 "command";
    BUILTIN_BUILTIN = 46 "builtin";
    BUILTIN_LET = 47 "let";

    // Jobs
    BUILTIN_JOBS = 50 "jobs";
    BUILTIN_FG = 51 "fg";
    BUILTIN_BG = 52 "bg";
    BUILTIN_KILL = 53 "kill";
    BUILTIN_DISOWN = 54 "disown";
    BUILTIN_WAIT = 55 "wait";
    BUILTIN_SUSPEND = 56 "suspend";

    // History
    BUILTIN_HISTORY = 60 "history";
    BUILTIN_FC = 61 "fc";
    BUILTIN_R = 62 "r";

    // Aliases
    BUILTIN_ALIAS = 70 "alias";
    BUILTIN_UNALIAS = 71 "unalias";

    // Options
    BUILTIN_SET = 80 "set";
    BUILTIN_SETOPT = 81 "setopt";
    BUILTIN_UNSETOPT = 82 "unsetopt";
    BUILTIN_SHOPT = 83 "shopt";
    BUILTIN_EMULATE = 84 "emulate";
    BUILTIN_GETOPTS = 85 "getopts";

    // Functions
    BUILTIN_AUTOLOAD = 90 "autoload";
    BUILTIN_FUNCTIONS = 91 "functions";
    BUILTIN_UNFUNCTION = 92 "unfunction";

    // Traps
    BUILTIN_TRAP = 100 "trap";

    // The stack of directories
    BUILTIN_PUSHD = 110 "pushd";
    BUILTIN_POPD = 111 "popd";
    BUILTIN_DIRS = 112 "dirs";

    // Commands and their places
    BUILTIN_TYPE = 120 "type";
    BUILTIN_WHENCE = 121 "whence";
    BUILTIN_WHERE = 122 "where";
    BUILTIN_WHICH = 123 "which";
    BUILTIN_HASH = 124 "hash";
    BUILTIN_REHASH = 125 "rehash";
    BUILTIN_UNHASH = 126 "unhash";

    // Completion
    BUILTIN_COMPGEN = 130 "compgen";
    BUILTIN_COMPLETE = 131 "complete";
    BUILTIN_COMPOPT = 132 "compopt";
    BUILTIN_COMPADD = 133 "compadd";
    BUILTIN_COMPSET = 134 "compset";
    BUILTIN_COMPDEF = 135 "compdef";
    BUILTIN_COMPINIT = 136 "compinit";
    BUILTIN_CDREPLAY = 137 "cdreplay";

    // Zsh's own
    BUILTIN_ZSTYLE = 140 "zstyle";
    BUILTIN_ZMODLOAD = 141 "zmodload";
    BUILTIN_BINDKEY = 142 "bindkey" "bind";
    BUILTIN_ZLE = 143 "zle";
    BUILTIN_VARED = 144 "vared";
    BUILTIN_ZCOMPILE = 145 "zcompile";
    BUILTIN_ZFORMAT = 146 "zformat";
    BUILTIN_ZPARSEOPTS = 147 "zparseopts";
    BUILTIN_ZREGEXPARSE = 148 "zregexparse";

    // Resources
    BUILTIN_ULIMIT = 150 "ulimit";
    BUILTIN_LIMIT = 151 "limit";
    BUILTIN_UNLIMIT = 152 "unlimit";
    BUILTIN_UMASK = 153 "umask";

    // Miscellany
    BUILTIN_TIMES = 160 "times";
    BUILTIN_CALLER = 161 "caller";
    BUILTIN_HELP = 162 "help";
    BUILTIN_ENABLE = 163 "enable";
    BUILTIN_DISABLE = 164 "disable";
    BUILTIN_NOGLOB = 165 "noglob";
    BUILTIN_TTYCTL = 166 "ttyctl";
    BUILTIN_SYNC = 167 "sync";
    BUILTIN_MKDIR = 168 "mkdir";
    BUILTIN_STRFTIME = 169 "strftime";
    BUILTIN_ZSLEEP = 170 "zsleep";
    BUILTIN_ZSYSTEM = 171 "zsystem";

    // Regular expressions
    BUILTIN_PCRE_COMPILE = 180 "pcre_compile";
    BUILTIN_PCRE_MATCH = 181 "pcre_match";
    BUILTIN_PCRE_STUDY = 182 "pcre_study";

    // Databases
    BUILTIN_ZTIE = 190 "ztie";
    BUILTIN_ZUNTIE = 191 "zuntie";
    BUILTIN_ZGDBMPATH = 192 "zgdbmpath";

    // Prompts
    BUILTIN_PROMPTINIT = 200 "promptinit";
    BUILTIN_PROMPT = 201 "prompt";

    // Concurrency
    BUILTIN_ASYNC = 210 "async";
    BUILTIN_AWAIT = 211 "await";
    BUILTIN_PMAP = 212 "pmap";
    BUILTIN_PGREP = 213 "pgrep";
    BUILTIN_PEACH = 214 "peach";
    BUILTIN_BARRIER = 215 "barrier";

    // Interception
    BUILTIN_INTERCEPT = 220 "intercept";
    BUILTIN_INTERCEPT_PROCEED = 221 "intercept_proceed";

    // Debugging
    BUILTIN_DOCTOR = 230 "doctor";
    BUILTIN_DBVIEW = 231 "dbview";
    BUILTIN_PROFILE = 232 "profile";
    BUILTIN_ZPROF = 233 "zprof";

    // Coreutils without a process
    BUILTIN_CAT = 240 "cat";
    BUILTIN_HEAD = 241 "head";
    BUILTIN_TAIL = 242 "tail";
    BUILTIN_WC = 243 "wc";
    BUILTIN_BASENAME = 244 "basename";
    BUILTIN_DIRNAME = 245 "dirname";
    BUILTIN_TOUCH = 246 "touch";
    BUILTIN_REALPATH = 247 "realpath";
    BUILTIN_SORT = 248 "sort";
    BUILTIN_FIND = 249 "find";
    BUILTIN_UNIQ = 250 "uniq";
    BUILTIN_CUT = 251 "cut";
    BUILTIN_TR = 252 "tr";
    BUILTIN_SEQ = 253 "seq";
    BUILTIN_REV = 254 "rev";
    BUILTIN_TEE = 255 "tee";
    BUILTIN_SLEEP = 256 "sleep";
    BUILTIN_WHOAMI = 257 "whoami";
    BUILTIN_ID = 258 "id";
    BUILTIN_HOSTNAME = 259 "hostname";
    BUILTIN_UNAME = 260 "uname";
    BUILTIN_DATE = 261 "date";
    BUILTIN_MKTEMP = 262 "mktemp";
}

/// A number above all builtins, for tables indexed by them.
pub const BUILTIN_MAX: u16 = 280;

/// Whether a builtin has this name.
pub fn is_builtin(name: &str) -> bool {
    builtin_id(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_share_a_number() {
        for (alias, name) in [
            (".", "source"),
            ("declare", "typeset"),
            ("chdir", "cd"),
            ("bye", "exit"),
            ("logout", "exit"),
            ("[", "test"),
            ("readarray", "mapfile"),
            ("bind", "bindkey"),
        ] {
            assert_eq!(builtin_id(alias), builtin_id(name));
            assert!(is_builtin(alias));
        }
    }

    #[test]
    fn other_names_have_none() {
        assert_eq!(builtin_id("ls"), None);
        assert!(!is_builtin(""));
        assert_eq!(builtin_id("mktemp"), Some(BUILTIN_MKTEMP));
        assert_eq!(BUILTIN_MKTEMP, 262);
    }
}
