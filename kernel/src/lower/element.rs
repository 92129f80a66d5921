//! One element of an array in registers: one, or two for complex numbers.

use rjax_ir::{DType, Scalar};

use super::builder::Builder;
use crate::kir::Reg;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Element {
    /// The value, or its real part.
    pub real: Reg,
    /// The imaginary part of a complex number.
    pub imag: Option<Reg>,
}

impl Element {
    pub fn real(real: Reg) -> Element {
        Element { real, imag: None }
    }

    pub fn complex(real: Reg, imag: Reg) -> Element {
        Element { real, imag: Some(imag) }
    }

    pub fn registers(&self) -> impl Iterator<Item = Reg> + use<> {
        std::iter::once(self.real).chain(self.imag)
    }

    /// Real and imaginary part of a complex number.
    pub fn parts(&self) -> [Reg; 2] {
        [self.real, self.imag.expect("verified: the operand is complex")]
    }

    /// A constant.
    pub fn constant(b: &mut Builder, value: Scalar) -> Element {
        let dtype = value.dtype();
        let part = |bits: u64| Scalar::from_bits(dtype.real(), [bits, 0]);
        let real = b.constant(part(value.bits()[0]));
        let imag = dtype.is_complex().then(|| b.constant(part(value.bits()[1])));
        Element { real, imag }
    }

    pub fn zero(b: &mut Builder, dtype: DType) -> Element {
        Element::constant(b, Scalar::zero(dtype))
    }

    /// Elements of one dtype from their registers, one after the other.
    pub fn from_registers(dtypes: &[DType], registers: &[Reg]) -> Vec<Element> {
        let mut registers = registers.iter().copied();
        let mut next = || registers.next().expect("one register for each part");
        dtypes
            .iter()
            .map(|dtype| {
                let real = next();
                Element { real, imag: dtype.is_complex().then(&mut next) }
            })
            .collect()
    }
}

/// How many registers or buffer elements an element of a dtype takes.
pub(crate) fn parts(dtype: DType) -> usize {
    if dtype.is_complex() { 2 } else { 1 }
}
