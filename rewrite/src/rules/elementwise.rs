//! The kinds of elementwise ops, as roots of the rules that hold for all of them.

use rjax_ir::{Binary, Compare, Unary};

use super::Code;

const fn unaries() -> [Code; Unary::ALL.len() + 3] {
    let mut codes = [Code::Leaf; Unary::ALL.len() + 3];
    let mut i = 0;
    while i < Unary::ALL.len() {
        codes[i] = Code::Unary(Unary::ALL[i]);
        i += 1;
    }
    codes[i] = Code::Convert;
    codes[i + 1] = Code::IntegerPow;
    codes[i + 2] = Code::ReducePrecision;
    codes
}

const fn binaries() -> [Code; Binary::ALL.len() + Compare::ALL.len()] {
    let mut codes = [Code::Leaf; Binary::ALL.len() + Compare::ALL.len()];
    let mut i = 0;
    while i < Binary::ALL.len() {
        codes[i] = Code::Binary(Binary::ALL[i]);
        i += 1;
    }
    let mut j = 0;
    while j < Compare::ALL.len() {
        codes[i + j] = Code::Compare(Compare::ALL[j]);
        j += 1;
    }
    codes
}

/// Elementwise ops of one operand.
pub(crate) const UNARIES: &[Code] = &unaries();
/// Elementwise ops of two operands.
pub(crate) const BINARIES: &[Code] = &binaries();
