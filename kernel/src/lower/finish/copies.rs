//! Instructions written again with other registers, and the same ones written once.

use std::collections::{HashMap, HashSet};

use crate::kir::{Access, Expr, Index, Inst, Kernel, Mask, ParamId, Reg};
use rjax_ir::DType;

/// A new register.
pub(super) fn register(kernel: &mut Kernel, dtype: DType) -> Reg {
    kernel.registers.push(dtype);
    Reg((kernel.registers.len() - 1) as u32)
}

/// What stands for a register in copied instructions.
#[derive(Clone, Default)]
pub(super) struct Renaming {
    registers: HashMap<Reg, Reg>,
    /// Loop variables that are sums of other ones. Where one is read as a value, `registers` has a register that holds it.
    indices: HashMap<Reg, Index>,
}

impl Renaming {
    pub fn rename(&mut self, from: Reg, to: Reg) {
        self.registers.insert(from, to);
    }

    /// `from` becomes `to`, whose value an instruction puts in a register.
    pub fn substitute(&mut self, from: Reg, to: Index, insts: &mut Vec<Inst>, kernel: &mut Kernel) {
        let result = match to.as_reg() {
            Some(register) => register,
            None => {
                let result = register(kernel, DType::I64);
                insts.push(Inst::Let { result, value: Expr::Index(to.clone()) });
                result
            }
        };
        self.registers.insert(from, result);
        self.indices.insert(from, to);
    }

    pub fn of(&self, register: Reg) -> Reg {
        *self.registers.get(&register).unwrap_or(&register)
    }

    fn index(&self, index: &Index) -> Index {
        index.terms.iter().fold(Index::constant(index.constant), |sum, &(register, coefficient)| {
            match self.indices.get(&register) {
                Some(value) => sum.plus(value, coefficient),
                None => sum.plus(&Index::reg(self.of(register)), coefficient),
            }
        })
    }

    /// A copy of a straight-line instruction that defines new registers.
    pub fn copy(&mut self, inst: &Inst, kernel: &mut Kernel) -> Inst {
        let mut copy = inst.clone();
        let indices: Vec<Index> = inst.indices().into_iter().map(|index| self.index(index)).collect();
        copy.map_reads(&mut |r| self.of(r));
        let mut indices = indices.into_iter();
        copy.indices_mut(&mut |index| *index = indices.next().expect("as many as before"));
        for defined in inst.defines() {
            let fresh = register(kernel, kernel.registers[defined.index()]);
            self.registers.insert(defined, fresh);
        }
        copy.map_defines(&mut |r| self.of(r));
        copy
    }
}

/// Whether an instruction is neither a loop nor a branch.
pub(super) fn is_straight(inst: &Inst) -> bool {
    match inst {
        Inst::Let { .. } | Inst::Load { .. } | Inst::Store { .. } | Inst::Complex { .. } | Inst::Threefry { .. } => {
            true
        }
        Inst::Loop(_) | Inst::If(_) | Inst::While(_) => false,
    }
}

/// Registers that instructions read, those in blocks inside included.
pub(super) fn all_reads(insts: &[Inst], reads: &mut HashSet<Reg>) {
    for inst in insts {
        inst.reads(|r| {
            reads.insert(r);
        });
        for block in inst.blocks() {
            all_reads(block, reads);
        }
    }
}

/// Computes and loads once what a block computes and loads several times. Blocks inside are left as they are, their reads renamed.
/// Returns the registers that are gone and those that have their values.
pub(super) fn share(insts: &mut Vec<Inst>, kernel: &Kernel) -> HashMap<Reg, Reg> {
    let mut lets: HashMap<(Expr, DType), Reg> = HashMap::new();
    let mut loads: HashMap<(ParamId, Index, Option<Mask>), Reg> = HashMap::new();
    let mut renamed: HashMap<Reg, Reg> = HashMap::new();
    insts.retain_mut(|inst| {
        rename_reads(inst, &renamed);
        match inst {
            Inst::Let { result, value } => {
                let key = (value.clone(), kernel.registers[result.index()]);
                match lets.get(&key) {
                    Some(&same) => {
                        renamed.insert(*result, same);
                        return false;
                    }
                    None => lets.insert(key, *result),
                };
            }
            Inst::Load { result, param, index, mask } if kernel.params[param.index()].access == Access::Read => {
                let key = (*param, index.clone(), *mask);
                match loads.get(&key) {
                    Some(&same) => {
                        renamed.insert(*result, same);
                        return false;
                    }
                    None => loads.insert(key, *result),
                };
            }
            Inst::Load { .. }
            | Inst::Store { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. }
            | Inst::Loop(_)
            | Inst::If(_)
            | Inst::While(_) => {}
        }
        true
    });
    renamed
}

/// Replaces the registers that an instruction and those inside of it read.
pub(super) fn rename_reads(inst: &mut Inst, renamed: &HashMap<Reg, Reg>) {
    if renamed.is_empty() {
        return;
    }
    inst.map_reads(&mut |r| *renamed.get(&r).unwrap_or(&r));
    for block in inst.blocks_mut() {
        block.iter_mut().for_each(|inner| rename_reads(inner, renamed));
    }
}
