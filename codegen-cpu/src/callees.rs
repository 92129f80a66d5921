//! What a function calls, by names that do not depend on where anything is in memory.

use std::collections::HashMap;

use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, FuncRef, Signature, StackSlot, StackSlotData, StackSlotKind, UserExternalName,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;

use crate::routines::Routine;

/// Name space of other functions of the executable: kernels and parts of the schedule.
pub(crate) const FUNCTIONS: u32 = 0;
/// Name space of routines: positions in [`Callees::routines`].
pub(crate) const ROUTINES: u32 = 1;

/// Name space of the wide loops of a kernel, which lie behind its code.
pub(crate) const WIDE_LOOPS: u32 = 2;

/// The functions that one function calls, each imported once.
pub(crate) struct Callees {
    convention: CallConv,
    /// Routines in the order of first use.
    pub(crate) routines: Vec<Routine>,
    routine_refs: HashMap<Routine, FuncRef>,
    function_refs: HashMap<u32, FuncRef>,
    lane_slot: Option<StackSlot>,
}

impl Callees {
    pub(crate) fn new(convention: CallConv) -> Callees {
        Callees {
            convention,
            routines: Vec::new(),
            routine_refs: HashMap::new(),
            function_refs: HashMap::new(),
            lane_slot: None,
        }
    }

    /// The signature of kernels: `(arguments, begin, end)`.
    pub(crate) fn kernel_signature(convention: CallConv) -> Signature {
        let mut signature = Signature::new(convention);
        signature.params.extend([AbiParam::new(I64); 3]);
        signature
    }

    /// The signature of the schedule and its parts: `(frame)`.
    pub(crate) fn schedule_signature(convention: CallConv) -> Signature {
        let mut signature = Signature::new(convention);
        signature.params.push(AbiParam::new(I64));
        signature
    }

    pub(crate) fn routine(&mut self, builder: &mut FunctionBuilder<'_>, routine: Routine) -> FuncRef {
        if let Some(&function) = self.routine_refs.get(&routine) {
            return function;
        }
        let index = self.routines.len() as u32;
        let function = import(builder, ROUTINES, index, routine.signature(self.convention));
        self.routines.push(routine);
        self.routine_refs.insert(routine, function);
        function
    }

    pub(crate) fn function(&mut self, builder: &mut FunctionBuilder<'_>, id: u32, signature: Signature) -> FuncRef {
        *self.function_refs.entry(id).or_insert_with(|| import(builder, FUNCTIONS, id, signature))
    }

    /// A wide loop of the kernel.
    pub(crate) fn wide(&mut self, builder: &mut FunctionBuilder<'_>, index: u32) -> FuncRef {
        let mut signature = Signature::new(self.convention);
        signature.params.push(AbiParam::new(I64));
        import(builder, WIDE_LOOPS, index, signature)
    }

    /// Room for two vectors, through which they go to routines.
    pub(crate) fn lane_slot(&mut self, builder: &mut FunctionBuilder<'_>) -> StackSlot {
        *self.lane_slot.get_or_insert_with(|| {
            builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 32, 4))
        })
    }
}

fn import(builder: &mut FunctionBuilder<'_>, namespace: u32, index: u32, signature: Signature) -> FuncRef {
    let name = builder.func.declare_imported_user_function(UserExternalName::new(namespace, index));
    let signature = builder.import_signature(signature);
    builder.import_function(ExtFuncData {
        name: ExternalName::user(name),
        signature,
        // Code may lie anywhere: calls take the full address.
        colocated: false,
        patchable: false,
    })
}
