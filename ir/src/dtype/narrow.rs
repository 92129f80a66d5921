//! Types that values are stored in and not computed in: 8-bit floats and integers of fewer than 8 bits.
//!
//! Ops that move data take them; arithmetic does not. [`Builder`](crate::Builder) writes arithmetic on them as arithmetic
//! on the [wide](crate::DType::wide) type between two conversions.
//!
//! ```
//! use rjax_ir::{DType, Narrow, Scalar};
//! let dtype = DType::Narrow(Narrow::F8E4M3FN);
//! assert_eq!(Scalar::from_f64(dtype, 1.06).to_f64(), 1.0);
//! assert!(Scalar::from_f64(dtype, 1e4).to_f64().is_nan(), "there is no infinity");
//! ```

/// A type of at most 8 bits. In the names of the floats, E is followed by the number of bits of the exponent, M by
/// those of the mantissa; FN has no infinities, UZ no negative zero, and B11 is an exponent bias of 11.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Narrow {
    /// Signed 2-bit integer.
    I2,
    /// Signed 4-bit integer.
    I4,
    /// Unsigned 2-bit integer.
    U2,
    /// Unsigned 4-bit integer.
    U4,
    /// As in IEEE 754, with 3 bits of exponent.
    F8E3M4,
    /// As in IEEE 754, with 4 bits of exponent.
    F8E4M3,
    /// No negative zero, no infinities, bias 11.
    F8E4M3B11FNUZ,
    /// No infinities; the usual type of weights and activations.
    F8E4M3FN,
    /// No negative zero, no infinities, bias 8.
    F8E4M3FNUZ,
    /// As in IEEE 754, with 5 bits of exponent; the usual type of gradients.
    F8E5M2,
    /// No negative zero, no infinities, bias 16.
    F8E5M2FNUZ,
    /// A power of two: no sign, no zero, no infinities; the usual type of scales.
    F8E8M0FNU,
}

/// Which bit patterns of a float are not finite numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Special {
    /// The greatest exponent has infinities and NaNs.
    Ieee,
    /// All bits of exponent and mantissa set is NaN.
    Fn,
    /// What would be negative zero is NaN.
    Fnuz,
    /// All bits set is NaN; there is no sign and no zero.
    Fnu,
}

/// The layout of a narrow float.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NarrowFormat {
    /// Bits of the mantissa field.
    pub mantissa_bits: u32,
    /// What is subtracted from the exponent field.
    pub bias: i32,
    /// Which patterns are not numbers.
    pub special: Special,
}

impl Narrow {
    /// All of them.
    pub const ALL: [Narrow; 12] = [
        Narrow::I2,
        Narrow::I4,
        Narrow::U2,
        Narrow::U4,
        Narrow::F8E3M4,
        Narrow::F8E4M3,
        Narrow::F8E4M3B11FNUZ,
        Narrow::F8E4M3FN,
        Narrow::F8E4M3FNUZ,
        Narrow::F8E5M2,
        Narrow::F8E5M2FNUZ,
        Narrow::F8E8M0FNU,
    ];

    /// The name in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Narrow::I2 => "i2",
            Narrow::I4 => "i4",
            Narrow::U2 => "u2",
            Narrow::U4 => "u4",
            Narrow::F8E3M4 => "f8e3m4",
            Narrow::F8E4M3 => "f8e4m3",
            Narrow::F8E4M3B11FNUZ => "f8e4m3b11fnuz",
            Narrow::F8E4M3FN => "f8e4m3fn",
            Narrow::F8E4M3FNUZ => "f8e4m3fnuz",
            Narrow::F8E5M2 => "f8e5m2",
            Narrow::F8E5M2FNUZ => "f8e5m2fnuz",
            Narrow::F8E8M0FNU => "f8e8m0fnu",
        }
    }

    /// Bits that a value has.
    pub const fn bits(self) -> usize {
        match self {
            Narrow::I2 | Narrow::U2 => 2,
            Narrow::I4 | Narrow::U4 => 4,
            Narrow::F8E3M4
            | Narrow::F8E4M3
            | Narrow::F8E4M3B11FNUZ
            | Narrow::F8E4M3FN
            | Narrow::F8E4M3FNUZ
            | Narrow::F8E5M2
            | Narrow::F8E5M2FNUZ
            | Narrow::F8E8M0FNU => 8,
        }
    }

    /// The bits of a byte that a value has.
    pub const fn mask(self) -> u8 {
        (0xff_u16 >> (8 - self.bits())) as u8
    }

    /// Whether this is a float.
    pub const fn is_float(self) -> bool {
        self.format().is_some()
    }

    /// Whether this is a signed integer.
    pub const fn is_signed_integer(self) -> bool {
        matches!(self, Narrow::I2 | Narrow::I4)
    }

    /// Whether this is an unsigned integer.
    pub const fn is_unsigned_integer(self) -> bool {
        matches!(self, Narrow::U2 | Narrow::U4)
    }

    /// The layout of a float.
    pub const fn format(self) -> Option<NarrowFormat> {
        let (mantissa_bits, bias, special) = match self {
            Narrow::I2 | Narrow::I4 | Narrow::U2 | Narrow::U4 => return None,
            Narrow::F8E3M4 => (4, 3, Special::Ieee),
            Narrow::F8E4M3 => (3, 7, Special::Ieee),
            Narrow::F8E4M3B11FNUZ => (3, 11, Special::Fnuz),
            Narrow::F8E4M3FN => (3, 7, Special::Fn),
            Narrow::F8E4M3FNUZ => (3, 8, Special::Fnuz),
            Narrow::F8E5M2 => (2, 15, Special::Ieee),
            Narrow::F8E5M2FNUZ => (2, 16, Special::Fnuz),
            Narrow::F8E8M0FNU => (0, 127, Special::Fnu),
        };
        Some(NarrowFormat { mantissa_bits, bias, special })
    }
}
