//! Writes kernels: every instruction goes to the outermost loop in which its operands are known.
//!
//! A [`Builder`] keeps a stack of scopes, one for each loop that is being written. A pure instruction, or a load of an array that
//! the kernel does not write, is placed in the scope of its deepest operand, so loop-invariant code is hoisted and equal
//! instructions are shared without a pass of their own. Index quotients that cancel are recognised when linear indices are formed.

use std::collections::HashMap;

use rjax_ir::{Binary, Compare, DType, Scalar, Unary};

use super::element::Element;
use crate::graph::NodeId;
use crate::kir::{
    Access, Carry, Class, ComplexOp, Expr, If, Index, Inst, Kernel, Loop, Mask, Order, Param, ParamId, Range, Reg,
    WhileLoop,
};

/// The memo key of a node computed at a position under a mask.
pub(crate) type Place = (NodeId, Vec<Index>, Option<Reg>);

#[derive(Default)]
struct Scope {
    insts: Vec<Inst>,
    lets: HashMap<(Expr, DType), Reg>,
    loads: HashMap<(ParamId, Index, Option<Mask>), Reg>,
    places: HashMap<Place, Vec<Element>>,
    /// What index registers stand for.
    digits: HashMap<Reg, Digit>,
    /// Loads do not leave this scope: it runs under a condition that keeps them in bounds.
    guarded: bool,
}

/// What an index register stands for: `(of / divisor) % modulus`, where no modulus means none.
#[derive(Clone)]
struct Digit {
    of: Index,
    divisor: i64,
    modulus: Option<i64>,
}

/// A loop that is being written.
pub(crate) struct OpenLoop {
    pub variable: Reg,
    begin: Index,
    end: Index,
    order: Order,
    carried: Vec<(Reg, Reg)>,
    depth: usize,
}

/// A loop with a computed condition that is being written.
pub(crate) struct OpenWhile {
    carried: Vec<(Reg, Reg)>,
    depth: usize,
    condition: Vec<Inst>,
    predicate: Option<Reg>,
}

impl OpenWhile {
    /// The carried registers, as they are at the start of an iteration.
    pub fn carried(&self) -> Vec<Reg> {
        self.carried.iter().map(|&(register, _)| register).collect()
    }
}

/// A branch that is being written.
pub(crate) struct Guard(usize);

/// Scopes that were set aside to write outside of them.
pub(crate) struct SetAside(Vec<Scope>);

pub(crate) struct Builder {
    pub params: Vec<Param>,
    registers: Vec<DType>,
    /// For each register the scope it belongs to.
    depths: Vec<u32>,
    scopes: Vec<Scope>,
    range: Range,
}

impl Builder {
    /// A kernel whose parallel range has this extent.
    pub fn new(extent: usize) -> Builder {
        let range = Range { extent, begin: Reg(0), end: Reg(1) };
        Builder {
            params: vec![],
            registers: vec![DType::I64; 2],
            depths: vec![0; 2],
            scopes: vec![Scope::default()],
            range,
        }
    }

    /// Ends the kernel.
    pub fn finish(mut self, class: Class) -> Kernel {
        let scope = self.scopes.pop().expect("the outermost scope is always open");
        assert!(self.scopes.is_empty(), "a loop was left open");
        let mut kernel =
            Kernel { class, params: self.params, range: self.range, registers: self.registers, body: scope.insts };
        super::finish::finish(&mut kernel);
        kernel
    }

    /// Adds a parameter.
    pub fn param(&mut self, dtype: DType, len: usize, access: Access) -> ParamId {
        self.params.push(Param { dtype, len, access });
        ParamId((self.params.len() - 1) as u32)
    }

    /// Widens the range, for kernels whose outermost loop is known later.
    pub fn set_extent(&mut self, extent: usize) {
        self.range.extent = extent;
    }

    fn fresh(&mut self, dtype: DType, depth: usize) -> Reg {
        self.registers.push(dtype);
        self.depths.push(depth as u32);
        Reg((self.registers.len() - 1) as u32)
    }

    pub fn dtype(&self, register: Reg) -> DType {
        self.registers[register.index()]
    }

    fn depth(&self, register: Reg) -> usize {
        self.depths[register.index()] as usize
    }

    /// The scope of the innermost loop that an index depends on.
    pub fn depth_of(&self, indices: &[Index]) -> usize {
        indices.iter().flat_map(|i| &i.terms).map(|&(r, _)| self.depth(r)).max().unwrap_or(0)
    }

    fn here(&self) -> usize {
        self.scopes.len() - 1
    }

    // Pure instructions.

    /// A register with the value of an expression.
    pub fn define(&mut self, dtype: DType, value: Expr) -> Reg {
        let mut depth = 0;
        value.reads(|r| depth = depth.max(self.depths[r.index()] as usize));
        let key = (value, dtype);
        if let Some(&register) = self.scopes[depth].lets.get(&key) {
            return register;
        }
        let result = self.fresh(dtype, depth);
        self.scopes[depth].insts.push(Inst::Let { result, value: key.0.clone() });
        self.scopes[depth].lets.insert(key, result);
        result
    }

    pub fn constant(&mut self, value: Scalar) -> Reg {
        self.define(value.dtype(), Expr::Const(value))
    }

    pub fn i64(&mut self, value: i64) -> Reg {
        self.constant(Scalar::new(value))
    }

    pub fn bool(&mut self, value: bool) -> Reg {
        self.constant(Scalar::new(value))
    }

    pub fn unary(&mut self, op: Unary, x: Reg) -> Reg {
        let dtype = if op == Unary::IsFinite { DType::Bool } else { self.dtype(x) };
        self.define(dtype, Expr::Unary(op, x))
    }

    pub fn binary(&mut self, op: Binary, x: Reg, y: Reg) -> Reg {
        debug_assert_eq!(self.dtype(x), self.dtype(y), "{op:?}");
        self.define(self.dtype(x), Expr::Binary(op, x, y))
    }

    pub fn compare(&mut self, op: Compare, x: Reg, y: Reg) -> Reg {
        debug_assert_eq!(self.dtype(x), self.dtype(y), "{op:?}");
        self.define(DType::Bool, Expr::Compare(op, x, y))
    }

    pub fn select(&mut self, condition: Reg, on_true: Reg, on_false: Reg) -> Reg {
        debug_assert_eq!(self.dtype(on_true), self.dtype(on_false), "select");
        if on_true == on_false {
            return on_true;
        }
        self.define(self.dtype(on_true), Expr::Select { condition, on_true, on_false })
    }

    pub fn convert(&mut self, x: Reg, dtype: DType) -> Reg {
        if self.dtype(x) == dtype { x } else { self.define(dtype, Expr::Convert(x)) }
    }

    pub fn and(&mut self, x: Option<Reg>, y: Reg) -> Reg {
        x.map_or(y, |x| self.binary(Binary::And, x, y))
    }

    pub fn complex(&mut self, op: ComplexOp, dtype: DType, operands: Vec<[Reg; 2]>, real_result: bool) -> Element {
        let depth = operands.iter().flatten().map(|&r| self.depth(r)).max().unwrap_or(0);
        let real = self.fresh(dtype.real(), depth);
        let imag = (!real_result).then(|| self.fresh(dtype.real(), depth));
        self.scopes[depth].insts.push(Inst::Complex { real, imag, op, dtype, operands });
        Element { real, imag }
    }

    pub fn threefry(&mut self, operands: [Reg; 4]) -> [Reg; 2] {
        let depth = operands.iter().map(|&r| self.depth(r)).max().unwrap_or(0);
        let results = [self.fresh(DType::U32, depth), self.fresh(DType::U32, depth)];
        self.scopes[depth].insts.push(Inst::Threefry { results, operands });
        results
    }

    // Indices.

    /// A register with the value of an index.
    pub fn index_register(&mut self, index: &Index) -> Reg {
        match (index.as_reg(), index.as_constant()) {
            (Some(register), _) => register,
            (_, Some(constant)) => self.i64(constant),
            _ => self.define(DType::I64, Expr::Index(index.clone())),
        }
    }

    /// `(index / divisor) % modulus` for an index that is not negative.
    pub fn digit(&mut self, index: &Index, divisor: i64, modulus: Option<i64>) -> Index {
        if modulus == Some(1) {
            return Index::constant(0);
        }
        if let Some(constant) = index.as_constant() {
            let quotient = constant / divisor;
            return Index::constant(modulus.map_or(quotient, |m| quotient % m));
        }
        if divisor == 1 && modulus.is_none() {
            return index.clone();
        }
        let mut register = self.index_register(index);
        if divisor != 1 {
            register = self.define(DType::I64, Expr::IndexDiv(register, divisor));
        }
        if let Some(modulus) = modulus {
            register = self.define(DType::I64, Expr::IndexRem(register, modulus));
        }
        let depth = self.depth(register);
        self.scopes[depth].digits.insert(register, Digit { of: index.clone(), divisor, modulus });
        Index::reg(register)
    }

    /// The position in row-major order, or with any strides, of a multi-index.
    pub fn linear(&self, indices: &[Index], strides: impl IntoIterator<Item = i64>) -> Index {
        let sum = indices.iter().zip(strides).fold(Index::default(), |sum, (index, stride)| sum.plus(index, stride));
        self.simplify(sum)
    }

    fn digit_of(&self, register: Reg) -> Option<&Digit> {
        self.scopes.get(self.depth(register))?.digits.get(&register)
    }

    /// Puts digits of one number together again: `(n / b) * b + n % b == n`.
    fn simplify(&self, mut sum: Index) -> Index {
        'again: loop {
            for (i, &(high, high_coefficient)) in sum.terms.iter().enumerate() {
                let Some(h) = self.digit_of(high) else { continue };
                for (j, &(low, low_coefficient)) in sum.terms.iter().enumerate() {
                    let Some(l) = self.digit_of(low) else { continue };
                    let Some(modulus) = l.modulus else { continue };
                    let adjacent = i != j && h.of == l.of && h.divisor == l.divisor * modulus;
                    if !adjacent || high_coefficient != low_coefficient * modulus {
                        continue;
                    }
                    let whole = h.modulus.is_none() && l.divisor == 1;
                    let joined = if whole {
                        Some(h.of.clone())
                    } else {
                        self.known_digit(&h.of, l.divisor, h.modulus.map(|m| m * modulus))
                    };
                    let Some(joined) = joined else { continue };
                    let mut rest = sum.clone();
                    rest.terms.retain(|&(r, _)| r != high && r != low);
                    sum = rest.plus(&joined, low_coefficient);
                    continue 'again;
                }
            }
            return sum;
        }
    }

    /// The register of a digit that was computed before.
    fn known_digit(&self, of: &Index, divisor: i64, modulus: Option<i64>) -> Option<Index> {
        let same = |d: &Digit| d.of == *of && d.divisor == divisor && d.modulus == modulus;
        let digits = self.scopes.iter().flat_map(|scope| &scope.digits);
        digits.filter(|(_, digit)| same(digit)).map(|(&register, _)| register).min().map(Index::reg)
    }

    // Memory.

    /// An element of an array that this kernel does not write.
    pub fn load(&mut self, param: ParamId, index: Index, mask: Option<Mask>) -> Reg {
        let mut depth = self.depth_of(std::slice::from_ref(&index));
        match mask {
            Some(mask) => depth = depth.max(self.depth(mask.condition)).max(self.depth(mask.otherwise)),
            // A constant index is in bounds everywhere.
            None if index.as_constant().is_some() => {}
            None => {
                if let Some(guard) = self.scopes.iter().rposition(|scope| scope.guarded) {
                    depth = depth.max(guard);
                }
            }
        }
        let key = (param, index, mask);
        if let Some(&register) = self.scopes[depth].loads.get(&key) {
            return register;
        }
        let result = self.fresh(self.params[param.index()].dtype, depth);
        self.scopes[depth].insts.push(Inst::Load { result, param, index: key.1.clone(), mask });
        self.scopes[depth].loads.insert(key, result);
        result
    }

    /// An element of an array that this kernel writes, as it is now.
    pub fn load_now(&mut self, param: ParamId, index: Index) -> Reg {
        let here = self.here();
        let result = self.fresh(self.params[param.index()].dtype, here);
        self.scopes[here].insts.push(Inst::Load { result, param, index, mask: None });
        result
    }

    pub fn store(&mut self, param: ParamId, index: Index, value: Reg) {
        debug_assert_eq!(self.dtype(value), self.params[param.index()].dtype, "store");
        let here = self.here();
        self.scopes[here].insts.push(Inst::Store { param, index, value });
    }

    // Scopes.

    fn open(&mut self, guarded: bool) {
        self.scopes.push(Scope { guarded, ..Scope::default() });
    }

    fn close(&mut self) -> Vec<Inst> {
        self.scopes.pop().expect("opened before").insts
    }

    /// Goes back to the scope in which registers of this depth are known, to write a loop there.
    pub fn set_aside(&mut self, depth: usize) -> SetAside {
        // Code that runs under a condition stays there.
        let guard = self.scopes.iter().rposition(|scope| scope.guarded).unwrap_or(0);
        SetAside(self.scopes.split_off(depth.max(guard) + 1))
    }

    /// Continues where [`Builder::set_aside`] left.
    pub fn resume(&mut self, scopes: SetAside) {
        self.scopes.extend(scopes.0);
    }

    /// Opens the outermost loop, over the parallel range.
    pub fn open_range(&mut self) -> OpenLoop {
        let (begin, end) = (Index::reg(self.range.begin), Index::reg(self.range.end));
        self.open_loop(begin, end, Order::Independent, &[])
    }

    /// Opens a loop; the carried registers start with `inits`. `order` says what is known of the iterations: with carried values,
    /// `VectorReduce` that they combine in any order.
    pub fn open_loop(&mut self, begin: Index, end: Index, order: Order, inits: &[Reg]) -> OpenLoop {
        self.open(false);
        let depth = self.here();
        let variable = self.fresh(DType::I64, depth);
        let carried = inits.iter().map(|&init| (self.fresh(self.dtype(init), depth), init)).collect();
        OpenLoop { variable, begin, end, order, carried, depth }
    }

    /// Ends a loop, given the carried values for the next iteration, and returns the registers with the last ones.
    pub fn close_loop(&mut self, open: OpenLoop, nexts: &[Reg]) -> Vec<Reg> {
        assert_eq!(self.here(), open.depth, "loops are closed in order");
        assert_eq!(nexts.len(), open.carried.len());
        let body = self.close();
        let carried: Vec<Carry> =
            open.carried.iter().zip(nexts).map(|(&(register, init), &next)| Carry { register, init, next }).collect();
        let results = carried.iter().map(|c| c.register).collect::<Vec<_>>();
        let OpenLoop { variable, begin, end, order, .. } = open;
        let outer = self.here();
        self.scopes[outer].insts.push(Inst::Loop(Loop { variable, begin, end, carried, order, body }));
        for &register in &results {
            self.depths[register.index()] = outer as u32;
        }
        results
    }

    /// Begins instructions that run only where a condition holds.
    pub fn open_guard(&mut self) -> Guard {
        self.open(true);
        Guard(self.here())
    }

    /// Ends them.
    pub fn close_guard(&mut self, guard: Guard, condition: Reg) {
        assert_eq!(self.here(), guard.0, "scopes are closed in order");
        let then = self.close();
        let here = self.here();
        self.scopes[here].insts.push(Inst::If(If { condition, then, otherwise: vec![], results: vec![] }));
    }

    /// Opens a loop with a computed condition; what is written next is the condition.
    pub fn open_while(&mut self, inits: &[Reg]) -> OpenWhile {
        self.open(true);
        let depth = self.here();
        let carried = inits.iter().map(|&init| (self.fresh(self.dtype(init), depth), init)).collect();
        OpenWhile { carried, depth, condition: vec![], predicate: None }
    }

    /// Ends the condition; what is written next is the body.
    pub fn close_condition(&mut self, open: &mut OpenWhile, predicate: Reg) {
        assert_eq!(self.here(), open.depth, "loops are closed in order");
        open.condition = self.close();
        open.predicate = Some(predicate);
        self.open(true);
    }

    /// Ends the loop, given the carried values for the next iteration, and returns the registers with the last ones.
    pub fn close_while(&mut self, open: OpenWhile, nexts: &[Reg]) -> Vec<Reg> {
        assert_eq!(self.here(), open.depth, "loops are closed in order");
        let body = self.close();
        let here = self.here();
        let pairs = open.carried.iter().zip(nexts);
        let carried: Vec<Carry> = pairs.map(|(&(register, init), &next)| Carry { register, init, next }).collect();
        let results: Vec<Reg> = carried.iter().map(|c| c.register).collect();
        for &register in &results {
            self.depths[register.index()] = here as u32;
        }
        let predicate = open.predicate.expect("the condition was closed");
        self.scopes[here].insts.push(Inst::While(WhileLoop { carried, condition: open.condition, predicate, body }));
        results
    }

    // Memory of what was computed.

    pub fn recall(&self, place: &Place) -> Option<Vec<Element>> {
        self.scopes.iter().rev().find_map(|scope| scope.places.get(place).cloned())
    }

    pub fn remember(&mut self, place: Place, elements: &[Element]) {
        let depth = elements.iter().flat_map(Element::registers).map(|r| self.depth(r)).max().unwrap_or(0);
        let depth = depth.min(self.here());
        self.scopes[depth].places.insert(place, elements.to_vec());
    }
}

impl OpenLoop {
    /// The carried registers, as they are at the start of an iteration.
    pub fn carried(&self) -> Vec<Reg> {
        self.carried.iter().map(|&(register, _)| register).collect()
    }
}
