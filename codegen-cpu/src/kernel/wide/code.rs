//! The instructions of a wide loop before registers are allocated, and the choice of opcodes.

use super::encode::{Form, Opcode};

/// A value of the loop body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Value(pub(super) u32);

/// What an instruction reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Source {
    /// Nothing.
    None,
    /// A value of the body.
    Value(Value),
    /// A constant vector, in the table.
    Constant(usize),
    /// A value from outside of the loop, the same in all lanes, in the frame.
    Invariant(usize),
    /// Partial results of a reduction, in their register.
    Partial(usize),
}

/// Elements that move with the loop: `streams[stream]`, displaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) stream: usize,
    /// In bytes, from the element of the first lane.
    pub(super) displacement: i32,
    /// Bytes of an element.
    pub(super) size: usize,
    /// Elements from one lane's to the next.
    pub(super) stride: i32,
}

/// An instruction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Code {
    /// An opcode on up to three operands.
    Vector { op: Opcode, result: Value, sources: [Source; 3], immediate: Option<u8> },
    /// As `Vector` with the result in the register of a partial result.
    Accumulate { op: Opcode, partial: usize, sources: [Source; 3], immediate: Option<u8> },
    /// The elements of a place, widened by the opcode if they are narrow.
    Load { op: Opcode, result: Value, place: Place },
    /// The value's low bytes to a place.
    Store { op: Opcode, value: Source, place: Place, immediate: Option<u8> },
    /// `coefficient` times the number of the iteration, in every lane that of its first.
    Ramp { result: Value, coefficient: i32, double: bool },
    /// `condition ? routine(operand) : otherwise`, around which the code branches.
    Rarely { result: Value, condition: Source, operand: Source, otherwise: Source, routine: usize },
}

const fn three(name: &'static str, prefix: u8, code: u8) -> Opcode {
    Opcode::new(name, 1, prefix, code, Form::Three)
}

/// The form for f32 lanes or for f64 lanes.
const fn float(double: bool, names: [&'static str; 2], code: u8) -> Opcode {
    three(names[double as usize], double as u8, code)
}

pub(super) const fn add(double: bool) -> Opcode {
    float(double, ["vaddps", "vaddpd"], 0x58).commuting()
}
pub(super) const fn sub(double: bool) -> Opcode {
    float(double, ["vsubps", "vsubpd"], 0x5c)
}
pub(super) const fn mul(double: bool) -> Opcode {
    float(double, ["vmulps", "vmulpd"], 0x59).commuting()
}
pub(super) const fn div(double: bool) -> Opcode {
    float(double, ["vdivps", "vdivpd"], 0x5e)
}
/// `x < y ? x : y`.
pub(super) const fn min(double: bool) -> Opcode {
    float(double, ["vminps", "vminpd"], 0x5d)
}
/// `x > y ? x : y`.
pub(super) const fn max(double: bool) -> Opcode {
    float(double, ["vmaxps", "vmaxpd"], 0x5f)
}
pub(super) const fn compare(double: bool) -> Opcode {
    float(double, ["vcmpps", "vcmppd"], 0xc2)
}
pub(super) const fn sqrt(double: bool) -> Opcode {
    let op = float(double, ["vsqrtps", "vsqrtpd"], 0x51);
    Opcode { form: Form::Two, ..op }
}
pub(super) const fn round(double: bool) -> Opcode {
    Opcode::new(["vroundps", "vroundpd"][double as usize], 3, 1, 8 + double as u8, Form::Two)
}
pub(super) const fn fused(double: bool) -> Opcode {
    let op = Opcode::new(["vfmadd132ps", "vfmadd132pd"][double as usize], 2, 1, 0x98, Form::Fused);
    Opcode { wide_bit: double, ..op }
}
pub(super) const fn blend(double: bool) -> Opcode {
    Opcode::new(["vblendvps", "vblendvpd"][double as usize], 3, 1, 0x4a + double as u8, Form::Blend)
}

pub(super) const AND: Opcode = three("vandps", 0, 0x54).commuting();
/// `!x & y`.
pub(super) const AND_NOT: Opcode = three("vandnps", 0, 0x55);
pub(super) const OR: Opcode = three("vorps", 0, 0x56).commuting();
pub(super) const XOR: Opcode = three("vxorps", 0, 0x57).commuting();
pub(super) const MOVE: Opcode = Opcode::new("vmovups", 1, 0, 0x10, Form::Two);
pub(super) const MOVE_TO: Opcode = Opcode::new("vmovups", 1, 0, 0x11, Form::Two);

pub(super) const fn integer_add(double: bool) -> Opcode {
    three(["vpaddd", "vpaddq"][double as usize], 1, if double { 0xd4 } else { 0xfe }).commuting()
}
pub(super) const fn integer_sub(double: bool) -> Opcode {
    three(["vpsubd", "vpsubq"][double as usize], 1, 0xfa + double as u8)
}
pub(super) const fn equal(double: bool) -> Opcode {
    if double {
        Opcode::new("vpcmpeqq", 2, 1, 0x29, Form::Three).commuting()
    } else {
        three("vpcmpeqd", 1, 0x76).commuting()
    }
}
pub(super) const fn greater(double: bool) -> Opcode {
    if double { Opcode::new("vpcmpgtq", 2, 1, 0x37, Form::Three) } else { three("vpcmpgtd", 1, 0x66) }
}
pub(super) const MUL_32: Opcode = Opcode::new("vpmulld", 2, 1, 0x40, Form::Three).commuting();
pub(super) const ABS_32: Opcode = Opcode::new("vpabsd", 2, 1, 0x1e, Form::Two);

/// Least or greatest of 32-bit integers.
pub(super) const fn extreme(greatest: bool, signed: bool) -> Opcode {
    let (name, code) = match (greatest, signed) {
        (false, true) => ("vpminsd", 0x39),
        (false, false) => ("vpminud", 0x3b),
        (true, true) => ("vpmaxsd", 0x3d),
        (true, false) => ("vpmaxud", 0x3f),
    };
    Opcode::new(name, 2, 1, code, Form::Three).commuting()
}

pub(super) const fn shift_left(double: bool) -> Opcode {
    Opcode::new(["vpslld", "vpsllq"][double as usize], 1, 1, 0x72 + double as u8, Form::Shift(6))
}
pub(super) const fn shift_right(double: bool) -> Opcode {
    Opcode::new(["vpsrld", "vpsrlq"][double as usize], 1, 1, 0x72 + double as u8, Form::Shift(2))
}
pub(super) const SHIFT_SIGN_32: Opcode = Opcode::new("vpsrad", 1, 1, 0x72, Form::Shift(4));
/// By amounts in lanes; 0 from the width on.
pub(super) const fn shift_left_by(double: bool) -> Opcode {
    let op = Opcode::new(["vpsllvd", "vpsllvq"][double as usize], 2, 1, 0x47, Form::Three);
    Opcode { wide_bit: double, ..op }
}
pub(super) const fn shift_right_by(double: bool) -> Opcode {
    let op = Opcode::new(["vpsrlvd", "vpsrlvq"][double as usize], 2, 1, 0x45, Form::Three);
    Opcode { wide_bit: double, ..op }
}
pub(super) const SHIFT_SIGN_BY_32: Opcode = Opcode::new("vpsravd", 2, 1, 0x46, Form::Three);

pub(super) const TO_INTEGER: Opcode = Opcode::new("vcvttps2dq", 1, 2, 0x5b, Form::Two);
pub(super) const FROM_INTEGER: Opcode = Opcode::new("vcvtdq2ps", 1, 0, 0x5b, Form::Two);
pub(super) const FROM_F16: Opcode = Opcode::new("vcvtph2ps", 2, 1, 0x13, Form::Two);
/// Its result is the operand that may be memory.
pub(super) const TO_F16: Opcode = Opcode::new("vcvtps2ph", 3, 1, 0x1d, Form::Two);
pub(super) const WIDEN_16: Opcode = Opcode::new("vpmovzxwd", 2, 1, 0x33, Form::Two);
pub(super) const fn widen_8(double: bool) -> Opcode {
    Opcode::new(["vpmovzxbd", "vpmovzxbq"][double as usize], 2, 1, 0x31 + double as u8, Form::Two)
}
/// Its result is the operand that may be memory.
pub(super) const HIGH_HALF: Opcode = Opcode::new("vextracti128", 3, 1, 0x39, Form::Two);
pub(super) const PACK_WORDS: Opcode = Opcode::new("vpackusdw", 2, 1, 0x2b, Form::Three).low();
pub(super) const PACK_MASKS_32: Opcode = three("vpackssdw", 1, 0x6b).low();
pub(super) const PACK_MASKS_16: Opcode = three("vpacksswb", 1, 0x63).low();
pub(super) const SHUFFLE: Opcode = three("vshufps", 0, 0xc6).low();
pub(super) const LOW_16_BYTES: Opcode = Opcode::new("vmovups", 1, 0, 0x11, Form::Two).low();
pub(super) const LOW_8_BYTES: Opcode = Opcode::new("vmovq", 1, 1, 0xd6, Form::Two).low();
pub(super) const LOW_4_BYTES: Opcode = Opcode::new("vmovd", 1, 1, 0x7e, Form::Two).low();
pub(super) const fn broadcast(double: bool) -> Opcode {
    Opcode::new(["vbroadcastss", "vbroadcastsd"][double as usize], 2, 1, 0x18 + double as u8, Form::Two)
}
/// From a general register.
pub(super) const FROM_GENERAL: Opcode = Opcode::new("vmovq", 1, 1, 0x6e, Form::Two).low().wide();
/// From the low lane of a register.
pub(super) const fn spread(double: bool) -> Opcode {
    Opcode::new(["vpbroadcastd", "vpbroadcastq"][double as usize], 2, 1, 0x58 + double as u8, Form::Two)
}
/// One element into the low lane.
pub(super) const fn load_one(double: bool) -> Opcode {
    let op = Opcode::new(["vmovd", "vmovq"][double as usize], 1, 1, 0x6e, Form::Two).low();
    Opcode { wide_bit: double, ..op }
}
/// One element into a lane of the low half.
pub(super) const fn insert(double: bool) -> Opcode {
    let op = Opcode::new(["vpinsrd", "vpinsrq"][double as usize], 3, 1, 0x22, Form::Three).low();
    Opcode { wide_bit: double, ..op }
}
/// One element from a lane of the low half to memory.
pub(super) const fn extract(double: bool) -> Opcode {
    let op = Opcode::new(["vpextrd", "vpextrq"][double as usize], 3, 1, 0x16, Form::Two).low();
    Opcode { wide_bit: double, ..op }
}
/// A high half from the low half of another register.
pub(super) const JOIN: Opcode = Opcode::new("vinserti128", 3, 1, 0x38, Form::Three);
/// The signs of the lanes, to a general register.
pub(super) const SIGNS: Opcode = Opcode::new("vmovmskps", 1, 0, 0x50, Form::Two);
