//! Short rows of a loop within a loop as one long loop.
//!
//! A row of 16 elements is one vector, and calling for each costs more than it. Where the two loops cannot be joined because they ask where they
//! are (a triangle of a small matrix is chosen by row and column), rows whose length is a power of two can: row and column are the upper and the
//! lower bits of one number.

use rjax_ir::{Binary, DType, Scalar};

use super::register;
use crate::kir::{Expr, Index, Inst, Kernel, Loop, Order, Reg};

/// Rows of more elements are long enough.
const LONGEST_ROW: i64 = 32;

/// Makes a loop and the last thing in it, another loop, one, if they are short rows of straight-line code; whether it did.
pub(super) fn flatten(outer: &mut Loop, kernel: &mut Kernel) -> bool {
    let Some((Inst::Loop(inner), before)) = outer.body.split_last() else { return false };
    let bounds = [&inner.begin, &inner.end, &outer.begin, &outer.end].map(Index::as_constant);
    let [Some(0), Some(extent), Some(0), Some(rows)] = bounds else { return false };
    let (row, column) = (outer.variable, inner.variable);
    let plain = outer.carried.is_empty() && inner.carried.is_empty() && outer.order == inner.order;
    let short = (2..=LONGEST_ROW).contains(&extent) && extent & (extent - 1) == 0 && rows * extent <= i32::MAX as i64;
    let fits = |inst: &Inst| {
        let mut goes_on = true;
        // What asks for the row or the column as a number.
        let mut asked = 0;
        inst.reads(|r| asked += (r == row || r == column) as i64);
        for index in inst.indices() {
            goes_on &= index.coefficient(row) == index.coefficient(column) * extent;
            asked -= index.terms.iter().filter(|&&(r, _)| r == row || r == column).count() as i64;
        }
        goes_on && (asked == 0 || number(inst, [row, column], kernel).is_some())
    };
    let lets = before.iter().all(|inst| matches!(inst, Inst::Let { .. }));
    let straight = !inner.body.iter().any(|inst| matches!(inst, Inst::Loop(_) | Inst::If(_) | Inst::While(_)));
    if outer.order == Order::Sequential || !plain || !short || !lets || !straight {
        return false;
    }
    if !before.iter().chain(&inner.body).all(fits) {
        return false;
    }
    let mut insts = std::mem::take(&mut outer.body);
    let Some(Inst::Loop(inner)) = insts.pop() else { return false };
    insts.extend(inner.body);
    let both = register(kernel, DType::I64);
    for mut inst in insts {
        if let Some((asked, result)) = number(&inst, [row, column], kernel) {
            let dtype = kernel.registers[result.index()];
            let [place, other] = [(); 2].map(|()| register(kernel, dtype));
            outer.body.push(Inst::Let { result: place, value: Expr::Convert(both) });
            let (op, value) = if asked == row {
                (Binary::ShiftRightLogical, extent.trailing_zeros() as i64)
            } else {
                (Binary::And, extent - 1)
            };
            outer.body.push(Inst::Let { result: other, value: Expr::Const(Scalar::from_i64(dtype, value)) });
            inst = Inst::Let { result, value: Expr::Binary(op, place, other) };
        }
        inst.indices_mut(&mut |index| {
            let coefficient = index.coefficient(column);
            index.terms.retain(|&(r, _)| r != row && r != column);
            *index = index.plus(&Index::reg(both), coefficient);
        });
        outer.body.push(inst);
    }
    outer.variable = both;
    outer.end = Index::constant(rows * extent);
    true
}

/// Which of the variables an instruction makes a number of 32 bits of, and its result.
fn number(inst: &Inst, variables: [Reg; 2], kernel: &Kernel) -> Option<(Reg, Reg)> {
    match inst {
        Inst::Let { result, value: Expr::Convert(x) } if variables.contains(x) => {
            matches!(kernel.registers[result.index()], DType::I32 | DType::U32).then_some((*x, *result))
        }
        Inst::Let { .. }
        | Inst::Load { .. }
        | Inst::Store { .. }
        | Inst::Complex { .. }
        | Inst::Threefry { .. }
        | Inst::Loop(_)
        | Inst::If(_)
        | Inst::While(_) => None,
    }
}
