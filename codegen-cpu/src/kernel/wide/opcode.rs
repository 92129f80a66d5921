//! The vector instructions that wide loops are made of.
//!
//! Almost all of them are one instruction with two encodings, a short one for AVX2 and a long one for AVX-512, so that a row says both.
//! `double` chooses between lanes of 32 and of 64 bits.

/// How the operands of a vector instruction are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Result, first operand, second operand.
    Three,
    /// Result and one operand.
    Two,
    /// As `Two`, but the result is the operand that may be memory.
    Into,
    /// Result and operand, with an extension of the opcode and an amount.
    Shift(u8),
    /// Result, operand if the mask is clear, operand if it is set, mask: a vector register.
    Blend,
    /// As `Blend`, with a mask register.
    Choose,
    /// Result and one operand, 0 where the mask register is clear.
    Keep,
    /// The result is one of three operands. The opcode is that of the 132 form.
    Fused,
    /// The result is the first of three operands.
    Order,
    /// The result is a mask register; first operand, second operand.
    Test,
    /// The result is a mask register; one operand.
    TestOne,
    /// As `Test`, where a mask is set.
    TestUnder,
    /// Three mask registers.
    Masks,
    /// Two mask registers.
    MaskNot,
    /// A vector from a mask register.
    FromMask,
}

/// What decides how long the vectors of an instruction are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Length {
    /// 4 bytes for each lane of the loop.
    Four,
    /// 8 bytes for each lane of the loop.
    Eight,
    /// 16 bytes.
    Low,
    /// All of a register.
    Whole,
}

/// A vector instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Opcode {
    pub(super) name: &'static str,
    /// 1: 0F, 2: 0F38, 3: 0F3A.
    pub(super) map: u8,
    /// 0: none, 1: 66, 2: F3, 3: F2.
    pub(super) prefix: u8,
    pub(super) wide_bit: bool,
    pub(super) code: u8,
    pub(super) form: Form,
    pub(super) commutes: bool,
    pub(super) length: Length,
}

impl Opcode {
    /// On lanes of 32 bits.
    const fn new(name: &'static str, map: u8, prefix: u8, code: u8, form: Form) -> Opcode {
        Opcode { name, map, prefix, wide_bit: false, code, form, commutes: false, length: Length::Four }
    }

    /// On lanes of 32 bits, or of 64 bits, which the wide bit tells apart.
    const fn lanes(double: bool, names: [&'static str; 2], map: u8, prefix: u8, code: u8, form: Form) -> Opcode {
        let op = Opcode::new(names[double as usize], map, prefix, code, form);
        if double { op.wide().eight() } else { op }
    }

    const fn commuting(self) -> Opcode {
        Opcode { commutes: true, ..self }
    }

    const fn wide(self) -> Opcode {
        Opcode { wide_bit: true, ..self }
    }

    const fn narrow(self) -> Opcode {
        Opcode { wide_bit: false, ..self }
    }

    const fn eight(self) -> Opcode {
        Opcode { length: Length::Eight, ..self }
    }

    const fn low(self) -> Opcode {
        Opcode { length: Length::Low, ..self }
    }

    /// On whole registers.
    pub(super) const fn whole(self) -> Opcode {
        Opcode { length: Length::Whole, ..self }
    }

    /// As an instruction with a mask register as its result.
    pub(super) const fn test(self) -> Opcode {
        Opcode { form: Form::Test, ..self }
    }

    /// As an instruction that tests where a mask is set.
    pub(super) const fn test_under(self) -> Opcode {
        Opcode { form: Form::TestUnder, ..self }
    }

    /// Whether its result is a mask register.
    pub(super) fn makes_mask(self) -> bool {
        match self.form {
            Form::Test | Form::TestOne | Form::TestUnder | Form::Masks | Form::MaskNot => true,
            Form::Three
            | Form::Two
            | Form::Into
            | Form::Shift(_)
            | Form::Blend
            | Form::Choose
            | Form::Keep
            | Form::Fused
            | Form::Order
            | Form::FromMask => false,
        }
    }
}

/// The form for f32 lanes or for f64 lanes.
const fn float(double: bool, names: [&'static str; 2], code: u8) -> Opcode {
    Opcode::lanes(double, names, 1, double as u8, code, Form::Three)
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
    Opcode { form: Form::Two, ..float(double, ["vsqrtps", "vsqrtpd"], 0x51) }
}
pub(super) const fn round(double: bool) -> Opcode {
    let names = ["vroundps", "vroundpd"];
    Opcode::lanes(double, names, 3, 1, 8 + double as u8, Form::Two)
}
pub(super) const fn fused(double: bool) -> Opcode {
    Opcode::lanes(double, ["vfmadd132ps", "vfmadd132pd"], 2, 1, 0x98, Form::Fused)
}
pub(super) const fn and(double: bool) -> Opcode {
    float(double, ["vandps", "vandpd"], 0x54).commuting()
}
/// `!x & y`.
pub(super) const fn and_not(double: bool) -> Opcode {
    float(double, ["vandnps", "vandnpd"], 0x55)
}
pub(super) const fn or(double: bool) -> Opcode {
    float(double, ["vorps", "vorpd"], 0x56).commuting()
}
pub(super) const fn xor(double: bool) -> Opcode {
    float(double, ["vxorps", "vxorpd"], 0x57).commuting()
}
pub(super) const fn load(double: bool) -> Opcode {
    Opcode { form: Form::Two, ..float(double, ["vmovups", "vmovupd"], 0x10) }
}
pub(super) const fn store(double: bool) -> Opcode {
    Opcode { form: Form::Into, ..float(double, ["vmovups", "vmovupd"], 0x11) }
}
/// Past the caches, to aligned memory.
pub(super) const fn stream(double: bool) -> Opcode {
    Opcode { form: Form::Into, ..float(double, ["vmovntps", "vmovntpd"], 0x2b) }
}
pub(super) const MOVE: Opcode = load(false).whole();
pub(super) const MOVE_TO: Opcode = store(false).whole();

pub(super) const fn integer_add(double: bool) -> Opcode {
    Opcode::lanes(double, ["vpaddd", "vpaddq"], 1, 1, if double { 0xd4 } else { 0xfe }, Form::Three).commuting()
}
pub(super) const fn integer_sub(double: bool) -> Opcode {
    Opcode::lanes(double, ["vpsubd", "vpsubq"], 1, 1, 0xfa + double as u8, Form::Three)
}
pub(super) const MUL_32: Opcode = Opcode::new("vpmulld", 2, 1, 0x40, Form::Three).commuting();
pub(super) const ABS_32: Opcode = Opcode::new("vpabsd", 2, 1, 0x1e, Form::Two);

/// Least or greatest of integers; of 64 bits with AVX-512 only.
pub(super) const fn extreme(double: bool, greatest: bool, signed: bool) -> Opcode {
    let (names, code) = match (greatest, signed) {
        (false, true) => (["vpminsd", "vpminsq"], 0x39),
        (false, false) => (["vpminud", "vpminuq"], 0x3b),
        (true, true) => (["vpmaxsd", "vpmaxsq"], 0x3d),
        (true, false) => (["vpmaxud", "vpmaxuq"], 0x3f),
    };
    Opcode::lanes(double, names, 2, 1, code, Form::Three).commuting()
}

pub(super) const fn shift_left(double: bool) -> Opcode {
    Opcode::lanes(double, ["vpslld", "vpsllq"], 1, 1, 0x72 + double as u8, Form::Shift(6))
}
pub(super) const fn shift_right(double: bool) -> Opcode {
    Opcode::lanes(double, ["vpsrld", "vpsrlq"], 1, 1, 0x72 + double as u8, Form::Shift(2))
}
/// Filling with the sign; of 64 bits with AVX-512 only.
pub(super) const fn shift_sign(double: bool) -> Opcode {
    Opcode::lanes(double, ["vpsrad", "vpsraq"], 1, 1, 0x72, Form::Shift(4))
}
/// By amounts in lanes; 0 from the width on.
pub(super) const fn shift_left_by(double: bool) -> Opcode {
    Opcode::lanes(double, ["vpsllvd", "vpsllvq"], 2, 1, 0x47, Form::Three)
}
pub(super) const fn shift_right_by(double: bool) -> Opcode {
    Opcode::lanes(double, ["vpsrlvd", "vpsrlvq"], 2, 1, 0x45, Form::Three)
}
/// Of 64 bits with AVX-512 only.
pub(super) const fn shift_sign_by(double: bool) -> Opcode {
    Opcode::lanes(double, ["vpsravd", "vpsravq"], 2, 1, 0x46, Form::Three)
}

pub(super) const TO_INTEGER: Opcode = Opcode::new("vcvttps2dq", 1, 2, 0x5b, Form::Two);
pub(super) const FROM_INTEGER: Opcode = Opcode::new("vcvtdq2ps", 1, 0, 0x5b, Form::Two);
pub(super) const FROM_F16: Opcode = Opcode::new("vcvtph2ps", 2, 1, 0x13, Form::Two);
pub(super) const TO_F16: Opcode = Opcode::new("vcvtps2ph", 3, 1, 0x1d, Form::Into);
pub(super) const WIDEN_16: Opcode = Opcode::new("vpmovzxwd", 2, 1, 0x33, Form::Two);
pub(super) const fn widen_8(double: bool) -> Opcode {
    let op = Opcode::new(["vpmovzxbd", "vpmovzxbq"][double as usize], 2, 1, 0x31 + double as u8, Form::Two);
    if double { op.eight() } else { op }
}
/// From the low lane of a register, or from memory.
pub(super) const fn spread(double: bool) -> Opcode {
    Opcode::lanes(double, ["vpbroadcastd", "vpbroadcastq"], 2, 1, 0x58 + double as u8, Form::Two)
}

/// Instructions that only the loops of AVX2 have.
pub(super) mod avx2 {
    use super::{Form, Length, Opcode};

    pub(in super::super) const fn blend(double: bool) -> Opcode {
        let op = Opcode::new(["vblendvps", "vblendvpd"][double as usize], 3, 1, 0x4a + double as u8, Form::Blend);
        Opcode { length: if double { Length::Eight } else { Length::Four }, ..op }
    }
    pub(in super::super) const fn equal(double: bool) -> Opcode {
        if double {
            Opcode::new("vpcmpeqq", 2, 1, 0x29, Form::Three).commuting().eight()
        } else {
            Opcode::new("vpcmpeqd", 1, 1, 0x76, Form::Three).commuting()
        }
    }
    pub(in super::super) const fn greater(double: bool) -> Opcode {
        if double {
            Opcode::new("vpcmpgtq", 2, 1, 0x37, Form::Three).eight()
        } else {
            Opcode::new("vpcmpgtd", 1, 1, 0x66, Form::Three)
        }
    }
    pub(in super::super) const HIGH_HALF: Opcode = Opcode::new("vextracti128", 3, 1, 0x39, Form::Into).whole();
    /// A high half from the low half of another register.
    pub(in super::super) const JOIN: Opcode = Opcode::new("vinserti128", 3, 1, 0x38, Form::Three).whole();
    pub(in super::super) const PACK_WORDS: Opcode = Opcode::new("vpackusdw", 2, 1, 0x2b, Form::Three).low();
    pub(in super::super) const PACK_MASKS_32: Opcode = Opcode::new("vpackssdw", 1, 1, 0x6b, Form::Three).low();
    pub(in super::super) const PACK_MASKS_16: Opcode = Opcode::new("vpacksswb", 1, 1, 0x63, Form::Three).low();
    pub(in super::super) const SHUFFLE: Opcode = Opcode::new("vshufps", 1, 0, 0xc6, Form::Three).low();
    pub(in super::super) const LOW_16_BYTES: Opcode = Opcode::new("vmovups", 1, 0, 0x11, Form::Into).low();
    pub(in super::super) const LOW_8_BYTES: Opcode = Opcode::new("vmovq", 1, 1, 0xd6, Form::Into).low();
    pub(in super::super) const LOW_4_BYTES: Opcode = Opcode::new("vmovd", 1, 1, 0x7e, Form::Into).low();
    /// From memory.
    pub(in super::super) const fn broadcast(double: bool) -> Opcode {
        let names = ["vbroadcastss", "vbroadcastsd"];
        Opcode::new(names[double as usize], 2, 1, 0x18 + double as u8, Form::Two).whole()
    }
    /// From a general register.
    pub(in super::super) const FROM_GENERAL: Opcode = Opcode::new("vmovq", 1, 1, 0x6e, Form::Two).low().wide();
    /// From the low lane of a register.
    pub(in super::super) const fn spread(double: bool) -> Opcode {
        super::spread(double).narrow().whole()
    }
    /// One element into the low lane.
    pub(in super::super) const fn load_one(double: bool) -> Opcode {
        Opcode::lanes(double, ["vmovd", "vmovq"], 1, 1, 0x6e, Form::Two).low()
    }
    /// One element into a lane of the low half.
    pub(in super::super) const fn insert(double: bool) -> Opcode {
        Opcode::lanes(double, ["vpinsrd", "vpinsrq"], 3, 1, 0x22, Form::Three).low()
    }
    /// One element from a lane of the low half to memory.
    pub(in super::super) const fn extract(double: bool) -> Opcode {
        Opcode::lanes(double, ["vpextrd", "vpextrq"], 3, 1, 0x16, Form::Into).low()
    }
    /// The signs of the lanes, to a general register.
    pub(in super::super) const SIGNS: Opcode = Opcode::new("vmovmskps", 1, 0, 0x50, Form::Two).whole();
}

/// Instructions of AVX-512 that have no short encoding.
pub(super) mod avx512 {
    use super::{Form, Opcode};

    /// Comparison of integers, by a predicate.
    pub(in super::super) const fn compare(double: bool, signed: bool) -> Opcode {
        let names = if signed { ["vpcmpd", "vpcmpq"] } else { ["vpcmpud", "vpcmpuq"] };
        Opcode::lanes(double, names, 3, 1, 0x1e + signed as u8, Form::Test)
    }
    /// Whether `x & y` is not 0.
    pub(in super::super) const fn test_bits(double: bool) -> Opcode {
        Opcode::lanes(double, ["vptestmd", "vptestmq"], 2, 1, 0x27, Form::Test)
    }
    /// Whether numbers are of the classes whose bits an immediate has.
    pub(in super::super) const fn class(double: bool) -> Opcode {
        Opcode::lanes(double, ["vfpclassps", "vfpclasspd"], 3, 1, 0x66, Form::TestOne)
    }
    pub(in super::super) const fn choose(double: bool) -> Opcode {
        Opcode::lanes(double, ["vblendmps", "vblendmpd"], 2, 1, 0x65, Form::Choose)
    }
    /// Least (4) or greatest (5) of two, where -0 is below 0.
    pub(in super::super) const fn range(double: bool) -> Opcode {
        Opcode::lanes(double, ["vrangeps", "vrangepd"], 3, 1, 0x50, Form::Three)
    }
    /// `x 2^n` for an integer n in a float.
    pub(in super::super) const fn scale(double: bool) -> Opcode {
        Opcode::lanes(double, ["vscalefps", "vscalefpd"], 2, 1, 0x2c, Form::Three)
    }
    pub(in super::super) const fn keep(double: bool) -> Opcode {
        Opcode { form: Form::Keep, ..super::load(double) }
    }
    /// All bits of a lane from a bit of a mask.
    pub(in super::super) const fn spread_mask(double: bool) -> Opcode {
        Opcode::lanes(double, ["vpmovm2d", "vpmovm2q"], 2, 2, 0x38, Form::FromMask)
    }
    pub(in super::super) const fn rotate_left(double: bool) -> Opcode {
        Opcode::lanes(double, ["vprold", "vprolq"], 1, 1, 0x72, Form::Shift(1))
    }
    pub(in super::super) const MUL_64: Opcode =
        Opcode::lanes(true, ["", "vpmullq"], 2, 1, 0x40, Form::Three).commuting();
    pub(in super::super) const ABS_64: Opcode = Opcode::lanes(true, ["", "vpabsq"], 2, 1, 0x1f, Form::Two);
    pub(in super::super) const fn leading_zeros(double: bool) -> Opcode {
        Opcode::lanes(double, ["vplzcntd", "vplzcntq"], 2, 1, 0x44, Form::Two)
    }
    /// From a general register.
    pub(in super::super) const fn from_general(double: bool) -> Opcode {
        Opcode::lanes(double, ["vpbroadcastd", "vpbroadcastq"], 2, 1, 0x7c, Form::Two)
    }

    /// Elements at 32-bit or 64-bit positions in lanes, where a mask is set; the mask is cleared.
    pub(in super::super) const fn gather(double: bool, far: bool) -> Opcode {
        let names = if far { ["vgatherqps", "vgatherqpd"] } else { ["vgatherdps", "vgatherdpd"] };
        let op = Opcode::lanes(double, names, 2, 1, 0x92 + far as u8, Form::Two);
        if far { op.eight() } else { op }
    }
    pub(in super::super) const fn scatter(double: bool, far: bool) -> Opcode {
        let names = if far { ["vscatterqps", "vscatterqpd"] } else { ["vscatterdps", "vscatterdpd"] };
        let op = Opcode::lanes(double, names, 2, 1, 0xa2 + far as u8, Form::Into);
        if far { op.eight() } else { op }
    }

    /// Integers of 8 or 16 bits to 32 bits.
    pub(in super::super) const fn widen(bytes: usize, signed: bool) -> Opcode {
        match (bytes, signed) {
            (1, true) => Opcode::new("vpmovsxbd", 2, 1, 0x21, Form::Two),
            (1, false) => super::widen_8(false),
            (_, true) => Opcode::new("vpmovsxwd", 2, 1, 0x23, Form::Two),
            (_, false) => super::WIDEN_16,
        }
    }
    /// Integers of 32 bits to 64 bits.
    pub(in super::super) const fn widen_32(signed: bool) -> Opcode {
        let (name, code) = if signed { ("vpmovsxdq", 0x25) } else { ("vpmovzxdq", 0x35) };
        Opcode::new(name, 2, 1, code, Form::Two).eight()
    }
    /// The low 32 bits of 64.
    pub(in super::super) const NARROW_64: Opcode = Opcode::new("vpmovqd", 2, 2, 0x35, Form::Into).eight();
    /// The low 16 bits of 32.
    pub(in super::super) const NARROW_TO_16: Opcode = Opcode::new("vpmovdw", 2, 2, 0x33, Form::Into);
    /// The low 8 bits of 32.
    pub(in super::super) const NARROW_TO_8: Opcode = Opcode::new("vpmovdb", 2, 2, 0x31, Form::Into);

    pub(in super::super) const F32_TO_F64: Opcode = Opcode::new("vcvtps2pd", 1, 0, 0x5a, Form::Two).eight();
    pub(in super::super) const F64_TO_F32: Opcode = Opcode::new("vcvtpd2ps", 1, 1, 0x5a, Form::Two).wide().eight();

    /// 32-bit integers to floats.
    pub(in super::super) const fn from_32(double: bool, signed: bool) -> Opcode {
        match (double, signed) {
            (false, true) => super::FROM_INTEGER,
            (false, false) => Opcode::new("vcvtudq2ps", 1, 3, 0x7a, Form::Two),
            (true, true) => Opcode::new("vcvtdq2pd", 1, 2, 0xe6, Form::Two).eight(),
            (true, false) => Opcode::new("vcvtudq2pd", 1, 2, 0x7a, Form::Two).eight(),
        }
    }
    /// 64-bit integers to floats.
    pub(in super::super) const fn from_64(double: bool, signed: bool) -> Opcode {
        let op = match (double, signed) {
            (false, true) => Opcode::new("vcvtqq2ps", 1, 0, 0x5b, Form::Two),
            (false, false) => Opcode::new("vcvtuqq2ps", 1, 3, 0x7a, Form::Two),
            (true, true) => Opcode::new("vcvtqq2pd", 1, 2, 0xe6, Form::Two),
            (true, false) => Opcode::new("vcvtuqq2pd", 1, 2, 0x7a, Form::Two),
        };
        op.wide().eight()
    }
    /// Floats to 32-bit integers, truncated.
    pub(in super::super) const fn to_32(double: bool, signed: bool) -> Opcode {
        match (double, signed) {
            (false, true) => super::TO_INTEGER,
            (false, false) => Opcode::new("vcvttps2udq", 1, 0, 0x78, Form::Two),
            (true, true) => Opcode::new("vcvttpd2dq", 1, 1, 0xe6, Form::Two).wide().eight(),
            (true, false) => Opcode::new("vcvttpd2udq", 1, 0, 0x78, Form::Two).wide().eight(),
        }
    }
    /// Floats to 64-bit integers, truncated.
    pub(in super::super) const fn to_64(double: bool, signed: bool) -> Opcode {
        let op = match (double, signed) {
            (false, true) => Opcode::new("vcvttps2qq", 1, 1, 0x7a, Form::Two),
            (false, false) => Opcode::new("vcvttps2uqq", 1, 1, 0x78, Form::Two),
            (true, true) => Opcode::new("vcvttpd2qq", 1, 1, 0x7a, Form::Two).wide(),
            (true, false) => Opcode::new("vcvttpd2uqq", 1, 1, 0x78, Form::Two).wide(),
        };
        op.eight()
    }

    /// The elements of the second operand in the order that the first says.
    pub(in super::super) const fn order(double: bool) -> Opcode {
        Opcode::lanes(double, ["vpermps", "vpermpd"], 2, 1, 0x16, Form::Three)
    }
    /// As `order`, of the elements of the second operand and then those of the third.
    pub(in super::super) const fn order_two(double: bool) -> Opcode {
        Opcode::lanes(double, ["vpermi2ps", "vpermi2pd"], 2, 1, 0x77, Form::Order)
    }

    /// Floats to integers of as many bits, to the nearest.
    pub(in super::super) const fn nearest(double: bool) -> Opcode {
        if double {
            Opcode::new("vcvtpd2qq", 1, 1, 0x7b, Form::Two).wide().eight()
        } else {
            Opcode::new("vcvtps2dq", 1, 1, 0x5b, Form::Two)
        }
    }

    /// Bytes, as many as there are lanes.
    pub(in super::super) const LOAD_BYTES: Opcode = Opcode::new("vmovdqu8", 1, 3, 0x6f, Form::Keep).low();
    pub(in super::super) const STORE_BYTES: Opcode = Opcode::new("vmovdqu8", 1, 3, 0x7f, Form::Into).low();
    pub(in super::super) const STORE_8_BYTES: Opcode = Opcode::new("vmovq", 1, 1, 0xd6, Form::Into).low().wide();

    const fn masks(name: &'static str, code: u8) -> Opcode {
        Opcode::new(name, 1, 0, code, Form::Masks)
    }
    pub(in super::super) const MASK_AND: Opcode = masks("kandw", 0x41).commuting();
    /// `!x & y`.
    pub(in super::super) const MASK_AND_NOT: Opcode = masks("kandnw", 0x42);
    pub(in super::super) const MASK_OR: Opcode = masks("korw", 0x45).commuting();
    pub(in super::super) const MASK_XOR: Opcode = masks("kxorw", 0x47).commuting();
    pub(in super::super) const MASK_ONES: Opcode = masks("kxnorw", 0x46);
    /// Of 16 lanes, or of 8.
    pub(in super::super) const fn mask_not(eight: bool) -> Opcode {
        Opcode::new(["knotw", "knotb"][eight as usize], 1, eight as u8, 0x44, Form::MaskNot)
    }
    /// Between mask registers, or from memory: 16 bits, or 8.
    pub(in super::super) const fn mask_load(eight: bool) -> Opcode {
        Opcode::new(["kmovw", "kmovb"][eight as usize], 1, eight as u8, 0x90, Form::MaskNot)
    }
    pub(in super::super) const MASK_STORE: Opcode = Opcode::new("kmovw", 1, 0, 0x91, Form::MaskNot);
    /// Sets the zero flag if both are 0, and the carry flag if all bits of either are set.
    pub(in super::super) const fn mask_test(eight: bool) -> Opcode {
        Opcode::new(["kortestw", "kortestb"][eight as usize], 1, eight as u8, 0x98, Form::MaskNot)
    }
}
