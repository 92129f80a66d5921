//! `bool` and the integers: two's complement, wrapping, total.

use std::cmp::Ordering;

use crate::math::Wide;
use crate::op::ScalarSemantics;

impl ScalarSemantics for bool {
    fn not(self) -> bool {
        !self
    }
    fn add(self, y: bool) -> bool {
        self | y
    }
    fn mul(self, y: bool) -> bool {
        self & y
    }
    fn max(self, y: bool) -> bool {
        self | y
    }
    fn min(self, y: bool) -> bool {
        self & y
    }
    fn and(self, y: bool) -> bool {
        self & y
    }
    fn or(self, y: bool) -> bool {
        self | y
    }
    fn xor(self, y: bool) -> bool {
        self ^ y
    }
    fn widen(self) -> Wide {
        Wide::Int(self as i128)
    }
    fn narrow(value: Wide) -> bool {
        value.is_nonzero()
    }
    fn partial_order(self, y: bool) -> Option<Ordering> {
        Some(self.cmp(&y))
    }
    fn total_order(self, y: bool) -> Ordering {
        self.cmp(&y)
    }
}

macro_rules! integer {
    ($($type:ident $signed:ident $unsigned:ident, $sign:expr, $abs:expr;)*) => {$(
        impl ScalarSemantics for $type {
            fn neg(self) -> $type {
                self.wrapping_neg()
            }
            fn sign(self) -> $type {
                $sign(self)
            }
            fn abs(self) -> $type {
                $abs(self)
            }
            fn not(self) -> $type {
                !self
            }
            fn population_count(self) -> $type {
                self.count_ones() as $type
            }
            fn clz(self) -> $type {
                self.leading_zeros() as $type
            }
            fn add(self, y: $type) -> $type {
                self.wrapping_add(y)
            }
            fn sub(self, y: $type) -> $type {
                self.wrapping_sub(y)
            }
            fn mul(self, y: $type) -> $type {
                self.wrapping_mul(y)
            }
            fn div(self, y: $type) -> $type {
                if y == 0 { !0 } else { self.wrapping_div(y) }
            }
            fn rem(self, y: $type) -> $type {
                if y == 0 { self } else { self.wrapping_rem(y) }
            }
            fn max(self, y: $type) -> $type {
                Ord::max(self, y)
            }
            fn min(self, y: $type) -> $type {
                Ord::min(self, y)
            }
            fn and(self, y: $type) -> $type {
                self & y
            }
            fn or(self, y: $type) -> $type {
                self | y
            }
            fn xor(self, y: $type) -> $type {
                self ^ y
            }
            // Shift amounts count as unsigned, so that a negative one is beyond the width.
            fn shift_left(self, y: $type) -> $type {
                if y as $unsigned >= $type::BITS as $unsigned { 0 } else { self << y }
            }
            fn shift_right_logical(self, y: $type) -> $type {
                if y as $unsigned >= $type::BITS as $unsigned { 0 } else { (self as $unsigned >> y) as $type }
            }
            fn shift_right_arithmetic(self, y: $type) -> $type {
                let amount = Ord::min(y as $unsigned, $type::BITS as $unsigned - 1);
                (self as $signed >> amount) as $type
            }
            fn widen(self) -> Wide {
                Wide::Int(self as i128)
            }
            fn narrow(value: Wide) -> $type {
                match value {
                    Wide::Int(v) => v as $type,
                    Wide::Float(v) => v as $type,
                    Wide::Complex(z) => z.re as $type,
                }
            }
            fn partial_order(self, y: $type) -> Option<Ordering> {
                Some(self.cmp(&y))
            }
            fn total_order(self, y: $type) -> Ordering {
                self.cmp(&y)
            }
        }
    )*};
}

integer! {
    i8 i8 u8, i8::signum, i8::wrapping_abs;
    i16 i16 u16, i16::signum, i16::wrapping_abs;
    i32 i32 u32, i32::signum, i32::wrapping_abs;
    i64 i64 u64, i64::signum, i64::wrapping_abs;
    u8 i8 u8, |x: u8| (x != 0) as u8, |x: u8| x;
    u16 i16 u16, |x: u16| (x != 0) as u16, |x: u16| x;
    u32 i32 u32, |x: u32| (x != 0) as u32, |x: u32| x;
    u64 i64 u64, |x: u64| (x != 0) as u64, |x: u64| x;
}
