//! Your language on fusevm: from text to a program that runs.
//!
//! A language needs five things: code, variables, functions, ops and builtins of its own, and errors
//! at source lines. This guide goes through them one by one; each piece of code here is compiled and
//! run by `cargo test`. All of them together are the language Tally in `examples/tally`, whose parser
//! has a few dozen lines:
//!
//! ```console
//! $ cargo run --example tally -- build examples/tally/shapes.tly shapes.fvbc
//! $ cargo run --example tally -- build examples/tally/main.tly main.fvbc
//! $ cargo run --example tally -- run main.fvbc shapes.fvbc
//! ```
//!
//! # Code
//!
//! Ops work on a stack. An expression is its operands' code, then its own op; a statement is jumps
//! around it, set once the target is known. Each op says the source line that it comes from.
//!
//! ```
//! use fusevm::{ChunkBuilder, Op, VM, Value};
//!
//! // while n < 100 { n = n * 2 }
//! let mut b = ChunkBuilder::new();
//! let n = b.add_name("n");
//! b.emit(Op::LoadInt(7), 1);
//! b.emit(Op::SetVar(n), 1);
//! let head = b.current_pos();
//! b.emit(Op::GetVar(n), 2);
//! b.emit(Op::LoadInt(100), 2);
//! b.emit(Op::NumLt, 2);
//! let to_end = b.emit(Op::JumpIfFalse(0), 2);
//! b.emit(Op::GetVar(n), 2);
//! b.emit(Op::LoadInt(2), 2);
//! b.emit(Op::Mul, 2);
//! b.emit(Op::SetVar(n), 2);
//! b.emit(Op::Jump(head), 2);
//! b.patch_jump(to_end, b.current_pos());
//! b.emit(Op::GetVar(n), 3);
//! let mut vm = VM::new(b.build());
//! assert_eq!(vm.execute().unwrap(), Some(Value::Int(112)));
//! ```
//!
//! Keep the stack as high at the end of a statement as at its beginning, on every way through it. Then
//! the chunk is *strict*: proved before it runs, and so the fast tiers can run it.
//! [`verify_chunk`](crate::verify::verify_chunk) says where it isn't.
//!
//! # Variables
//!
//! What is local to a function is a slot: [`Op::SetSlot`](crate::Op::SetSlot) and
//! [`Op::GetSlot`](crate::Op::GetSlot) with a number that your compiler gives. What is global has a
//! name, and chunks that run in the same VM share it by that name.
//!
//! # Functions
//!
//! The simplest way is a chunk for each function: its arguments are its first slots, and what it
//! leaves on the stack, or gives to [`Op::ReturnValue`](crate::Op::ReturnValue), is its value. A
//! [`Op::Call`](crate::Op::Call) of a name finds it, wherever it is: in the same module, in another
//! one, or in the host. So a library is a module, and nothing has to be linked beforehand.
//!
//! ```
//! use fusevm::engine::Engine;
//! use fusevm::format::{Entry, Module, ModuleWriter};
//! use fusevm::{ChunkBuilder, Op, Value};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // fn square(x) { return x * x }
//! let mut square = ChunkBuilder::new();
//! square.set_source("library");
//! square.emit(Op::GetSlot(0), 1);
//! square.emit(Op::GetSlot(0), 1);
//! square.emit(Op::Mul, 1);
//! square.emit(Op::ReturnValue, 1);
//!
//! // square(6) + offset()
//! let mut main = ChunkBuilder::new();
//! let (callee, offset) = (main.add_name("square"), main.add_name("offset"));
//! main.emit(Op::LoadInt(6), 1);
//! main.emit(Op::Call(callee, 1), 1);
//! main.emit(Op::Call(offset, 0), 1);
//! main.emit(Op::Add, 1);
//!
//! let folder = std::env::temp_dir().join(format!("guide-{}", std::process::id()));
//! std::fs::create_dir_all(&folder)?;
//! for (file, name, chunk) in [("library", "square", square), ("program", "main", main)] {
//!     let mut writer = ModuleWriter::create(folder.join(file))?;
//!     writer.add(&Entry::named(name), &chunk.build())?;
//!     writer.finish()?;
//! }
//!
//! let engine = Engine::builder()
//!     .function("", "offset", |_, _| Ok(Value::Int(6)))
//!     .build();
//! engine.load(Module::open(folder.join("library"))?);
//! let program = Module::open(folder.join("program"))?;
//! let unit = engine.loaded(program.chunk("main")?);
//! let mut vm = engine.vm(&unit);
//! assert_eq!(vm.execute()?, Some(Value::Int(42)));
//!
//! // The host calls functions by name, too.
//! assert_eq!(vm.call_sub("square", [Value::Int(9)])?, Some(Value::Int(81)));
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! A function may be defined anew while programs run: [`Engine::define`](crate::Engine::define). Who is
//! in the old one goes on there; the next call is of the new one.
//!
//! # Builtins and ops of your own
//!
//! A builtin is a handler that takes arguments and gives a value; an extension op is one that works on
//! the stack as it likes. Both have a name and a number in a name space of your own, so that they
//! can't be mixed up with those of another language in the same process. The chunk declares what it
//! calls: for an extension op the verifier has to be told what it takes and leaves, or the chunk is
//! loose.
//!
//! ```
//! use fusevm::chunk::{Effect, Import, ImportKind, Touches};
//! use fusevm::engine::{Engine, Failure};
//! use fusevm::{ChunkBuilder, Op, Value};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::builder()
//!     .builtin("mine", "number", |vm, _| {
//!         let text = vm.pop().to_str();
//!         let number = text.parse::<i64>();
//!         number.map(Value::Int).map_err(|_| Failure::new(format!("{text:?} is no number")))
//!     })
//!     .extension("mine", "swap_halves", |vm, _| {
//!         let n = vm.pop().to_int();
//!         vm.push(Value::Int(n.rotate_left(32)));
//!         Ok(())
//!     })
//!     .build();
//!
//! let program = |text: &str| {
//!     let mut b = ChunkBuilder::new();
//!     b.set_source("program");
//!     for (kind, name, effect) in [
//!         (ImportKind::Builtin, "number", Effect::Arguments { pushes: 1 }),
//!         (ImportKind::Extension, "swap_halves", Effect::Fixed { pops: 1, pushes: 1 }),
//!     ] {
//!         b.declare_import(Import {
//!             kind,
//!             id: 0,
//!             space: "mine".to_owned(),
//!             name: name.to_owned(),
//!             effect,
//!             touches: Touches::ARGUMENTS,
//!         });
//!     }
//!     let text = b.add_constant(Value::str(text));
//!     b.emit(Op::LoadConst(text), 1);
//!     b.emit(Op::CallBuiltin(0, 1), 2);
//!     b.emit(Op::Extended(0, 0), 3);
//!     engine.unit("main", b.build())
//! };
//! let good = program("1");
//! assert!(good.is_strict() && engine.missing(&good).is_empty());
//! assert_eq!(engine.vm(&good).execute()?, Some(Value::Int(1 << 32)));
//!
//! // What a handler fails with, and where, is in the trap.
//! let trap = engine.vm(&program("one")).execute().unwrap_err();
//! assert_eq!(trap.message(), "\"one\" is no number");
//! assert_eq!((trap.source(), trap.site().line), ("program", Some(2)));
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! A run that can't go on ends in a [`Trap`](crate::vm::Trap): a code, a message, the place and the
//! calls that led there, each with its source and line. For that, name the source with
//! [`ChunkBuilder::set_source`](crate::ChunkBuilder::set_source), and give each op its line. As text, a
//! trap is what a user should see.
//!
//! ```
//! use fusevm::engine::Engine;
//! use fusevm::{ChunkBuilder, Op};
//!
//! let engine = Engine::new();
//! let mut helper = ChunkBuilder::new();
//! helper.set_source("helper.tly");
//! let gone = helper.add_name("gone");
//! helper.emit(Op::Call(gone, 0), 12);
//! engine.define("", "helper", helper.build());
//!
//! let mut main = ChunkBuilder::new();
//! main.set_source("main.tly");
//! let callee = main.add_name("helper");
//! main.emit(Op::Call(callee, 0), 3);
//! let unit = engine.unit("main", main.build());
//! let text = engine.vm(&unit).execute().unwrap_err().to_string();
//! assert!(text.contains("undefined function: gone"));
//! assert!(text.contains("--> helper.tly:12 in helper"));
//! assert!(text.contains("called from main.tly:3"));
//! ```
//!
//! # Text at run time
//!
//! With a compiler, the engine runs text: [`VM::eval`](crate::VM::eval) for an `eval` of your
//! language, and functions that nobody has defined, for those that are loaded when they are first
//! called.
//!
//! ```
//! use fusevm::engine::{CompileRequest, Engine, Failure};
//! use fusevm::{ChunkBuilder, Op, Value};
//!
//! let engine = Engine::builder()
//!     .compiler(|request| {
//!         let number = match request {
//!             CompileRequest::Text { text, .. } => text.parse().map_err(Failure::new)?,
//!             CompileRequest::Function { name: "answer", .. } => 42,
//!             CompileRequest::Function { .. } => return Ok(None),
//!         };
//!         let mut b = ChunkBuilder::new();
//!         b.emit(Op::LoadInt(number), 1);
//!         Ok(Some(b.build()))
//!     })
//!     .build();
//! let mut main = ChunkBuilder::new();
//! let answer = main.add_name("answer");
//! main.emit(Op::Call(answer, 0), 1);
//! let mut vm = engine.vm(&engine.unit("main", main.build()));
//! assert_eq!(vm.execute().unwrap(), Some(Value::Int(42)));
//! assert_eq!(vm.eval("typed", "7").unwrap(), Some(Value::Int(7)));
//! ```
//!
//! # Threads, limits, reuse
//!
//! An [`Engine`](crate::Engine) is shared by as many threads as you like; a [`VM`](crate::VM) belongs
//! to one at a time and costs next to nothing. [`VM::reset`](crate::VM::reset) makes one ready for its
//! next run. What programs may use up and do is said once, with
//! [`EngineBuilder::limits`](crate::engine::EngineBuilder::limits) and
//! [`policy`](crate::engine::EngineBuilder::policy).
//!
//! ```
//! use fusevm::code::Code;
//! use fusevm::engine::Engine;
//! use fusevm::vm::Limits;
//! use fusevm::{ChunkBuilder, Op};
//!
//! let limits = Limits { fuel: Some(10_000), ..Limits::default() };
//! let engine = Engine::builder().limits(limits).build();
//! let mut b = ChunkBuilder::new();
//! b.emit(Op::Jump(0), 1);
//! let unit = engine.unit("forever", b.build());
//! std::thread::scope(|scope| {
//!     for _ in 0..2 {
//!         scope.spawn(|| {
//!             let trap = engine.vm(&unit).execute().unwrap_err();
//!             assert_eq!(trap.code(), Code::OutOfFuel);
//!         });
//!     }
//! });
//! ```
