//! Collects compiled functions and lays them out one behind the other, calls resolved.
//!
//! What comes out is plain bytes: calls within them are relative, and everything else is reached
//! through the activation. A relocation of any other kind makes the whole unfit.

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::{Context, ir, isa};
use cranelift_module::{
    DataDescription, DataId, FuncId, Linkage, Module, ModuleDeclarations, ModuleError, ModuleReloc,
    ModuleRelocTarget, ModuleResult,
};

/// Where functions begin.
const FUNCTION_ALIGN: usize = 16;

/// A function's code before it has its place.
struct Blob {
    bytes: Vec<u8>,
    relocs: Vec<ModuleReloc>,
    frame_bytes: usize,
    marks: Vec<Mark>,
}

/// Where the code of an instruction begins in a function's, if it was compiled with marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) offset: usize,
    /// The instruction's index in the function; `None` where code belongs to no single one.
    pub(crate) instruction: Option<usize>,
}

/// The functions of a group, as they are compiled.
pub(super) struct Collector {
    isa: OwnedTargetIsa,
    declarations: ModuleDeclarations,
    blobs: Vec<Option<Blob>>,
}

/// Laid out code.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) bytes: Vec<u8>,
    /// Where each function begins, in the order of their declaration.
    pub(crate) offsets: Vec<usize>,
    /// Bytes of native stack that the largest of their frames takes, roughly.
    pub(crate) frame_bytes: usize,
    /// By function, the marks in ascending order; none unless it was compiled with them.
    pub(crate) marks: Vec<Vec<Mark>>,
}

impl Collector {
    pub(super) fn new(isa: OwnedTargetIsa) -> Collector {
        Collector {
            isa,
            declarations: ModuleDeclarations::default(),
            blobs: Vec::new(),
        }
    }

    /// Lays the functions out; `None` if one is missing or refers to something outside.
    pub(super) fn finish(self) -> Option<Code> {
        let blobs: Vec<Blob> = self.blobs.into_iter().collect::<Option<_>>()?;
        let mut code = Code {
            bytes: Vec::new(),
            offsets: Vec::with_capacity(blobs.len()),
            frame_bytes: 0,
            marks: Vec::new(),
        };
        for blob in &blobs {
            let start = code.bytes.len().next_multiple_of(FUNCTION_ALIGN);
            code.bytes.resize(start, 0);
            code.offsets.push(start);
            code.bytes.extend_from_slice(&blob.bytes);
            code.frame_bytes = code.frame_bytes.max(blob.frame_bytes);
        }
        for (index, blob) in blobs.iter().enumerate() {
            for reloc in &blob.relocs {
                let target = match reloc.name {
                    ModuleRelocTarget::User {
                        namespace: 0,
                        index,
                    } => *code.offsets.get(index as usize)?,
                    _ => return None,
                };
                let at = code.offsets[index] + reloc.offset as usize;
                resolve(&mut code.bytes, reloc, at, target)?;
            }
        }
        code.marks = blobs.into_iter().map(|blob| blob.marks).collect();
        Some(code)
    }
}

/// Puts the distance of a call into the code.
fn resolve(bytes: &mut [u8], reloc: &ModuleReloc, at: usize, target: usize) -> Option<()> {
    let distance = target as i64 + reloc.addend - at as i64;
    let field: &mut [u8; 4] = bytes.get_mut(at..at + 4)?.try_into().ok()?;
    match reloc.kind {
        Reloc::X86CallPCRel4 => {
            *field = i32::try_from(distance).ok()?.to_le_bytes();
        }
        Reloc::Arm64Call => {
            // 26 bits of a distance in words.
            let words = i32::try_from(distance >> 2).ok()?;
            if distance & 3 != 0 || !(-(1 << 25)..1 << 25).contains(&words) {
                return None;
            }
            let old = u32::from_le_bytes(*field);
            *field = (old | (words as u32 & 0x03ff_ffff)).to_le_bytes();
        }
        _ => return None,
    }
    Some(())
}

impl Module for Collector {
    fn isa(&self) -> &dyn isa::TargetIsa {
        &*self.isa
    }

    fn declarations(&self) -> &ModuleDeclarations {
        &self.declarations
    }

    fn declare_function(
        &mut self,
        name: &str,
        linkage: Linkage,
        signature: &ir::Signature,
    ) -> ModuleResult<FuncId> {
        let (id, _) = self
            .declarations
            .declare_function(name, linkage, signature)?;
        self.blobs.resize_with(id.as_u32() as usize + 1, || None);
        Ok(id)
    }

    fn declare_anonymous_function(&mut self, signature: &ir::Signature) -> ModuleResult<FuncId> {
        let id = self.declarations.declare_anonymous_function(signature)?;
        self.blobs.resize_with(id.as_u32() as usize + 1, || None);
        Ok(id)
    }

    fn declare_data(
        &mut self,
        name: &str,
        _linkage: Linkage,
        _writable: bool,
        _tls: bool,
    ) -> ModuleResult<DataId> {
        Err(no_data(name))
    }

    fn declare_anonymous_data(&mut self, _writable: bool, _tls: bool) -> ModuleResult<DataId> {
        Err(no_data("anonymous"))
    }

    fn define_function_with_control_plane(
        &mut self,
        func: FuncId,
        ctx: &mut Context,
        ctrl_plane: &mut ControlPlane,
    ) -> ModuleResult<()> {
        let compiled = ctx.compile(&*self.isa, ctrl_plane)?;
        let bytes = compiled.code_buffer().to_vec();
        let frame = compiled.buffer.frame_layout();
        // Beside the frame itself: the return address, the frame pointer, saved registers.
        const BESIDE: usize = 64;
        let frame_bytes = BESIDE + frame.map_or(0, |frame| frame.frame_to_fp_offset as usize);
        let marks = compiled
            .buffer
            .get_srclocs_sorted()
            .iter()
            .map(|mark| Mark {
                offset: mark.start as usize,
                instruction: (!mark.loc.is_default()).then(|| mark.loc.bits() as usize),
            });
        let marks = marks.collect();
        let relocs: Vec<_> = compiled.buffer.relocs().to_vec();
        let relocs = relocs
            .iter()
            .map(|reloc| ModuleReloc::from_mach_reloc(reloc, &ctx.func, func))
            .collect();
        self.blobs[func.as_u32() as usize] = Some(Blob {
            bytes,
            relocs,
            frame_bytes,
            marks,
        });
        Ok(())
    }

    fn define_function_bytes(
        &mut self,
        func_id: FuncId,
        _alignment: u64,
        bytes: &[u8],
        relocs: &[ModuleReloc],
    ) -> ModuleResult<()> {
        self.blobs[func_id.as_u32() as usize] = Some(Blob {
            bytes: bytes.to_vec(),
            relocs: relocs.to_vec(),
            frame_bytes: 0,
            marks: Vec::new(),
        });
        Ok(())
    }

    fn define_data(&mut self, _data_id: DataId, _data: &DataDescription) -> ModuleResult<()> {
        Err(no_data("defined"))
    }
}

/// Code that refers to data by address would need relocations.
fn no_data(name: &str) -> ModuleError {
    ModuleError::Undeclared(name.to_owned())
}
