/*
 * IEEE 754-2019 binary32 and binary64 arithmetic as the RISC-V F and D extensions define it, in integer
 * operations alone: the result of every function is the same on every host.
 *
 * Values travel as bit patterns (uint32_t for binary32, uint64_t for binary64); NaN boxing of singles in
 * 64-bit registers is the caller's business. Every NaN an arithmetic operation returns is the canonical one.
 * Sign injection and moves are bit copies and live with the caller.
 *
 * rm      rounding mode in the encoding of the rm field: 0..4. The caller has resolved DYN and refused 5..7.
 * flags   exceptions are OR-ed into *flags in the layout of fflags. Never cleared here.
 *
 * Tininess is detected after rounding. All functions are pure apart from *flags and may run on any thread.
 *
 * Source: The RISC-V Instruction Set Manual, Volume I, chapters "F" (version 2.2) and "D" (version 2.2);
 * IEEE 754-2019, sections 4 to 7.
 */
#ifndef FP_SOFTFLOAT_H
#define FP_SOFTFLOAT_H

#include <stdbool.h>
#include <stdint.h>

enum fp_rounding {
  FP_RNE = 0, /* to nearest, ties to even */
  FP_RTZ = 1, /* towards zero */
  FP_RDN = 2, /* towards minus infinity */
  FP_RUP = 3, /* towards plus infinity */
  FP_RMM = 4, /* to nearest, ties away from zero */
};

enum fp_flag {
  FP_NX = 1,  /* inexact */
  FP_UF = 2,  /* underflow */
  FP_OF = 4,  /* overflow */
  FP_DZ = 8,  /* division by zero */
  FP_NV = 16, /* invalid operation */
};

/* Sign arguments of mul_add: fmadd 0, fmsub FP_NEG_ADDEND, fnmsub FP_NEG_PRODUCT, fnmadd both. */
enum fp_mul_add_sign {
  FP_NEG_PRODUCT = 1,
  FP_NEG_ADDEND = 2,
};

#define F32_CANONICAL_NAN 0x7fc00000u
#define F64_CANONICAL_NAN 0x7ff8000000000000u

uint32_t f32_add(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags);
uint32_t f32_sub(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags);
uint32_t f32_mul(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags);
uint32_t f32_div(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags);
uint32_t f32_sqrt(uint32_t a, unsigned rm, uint32_t *flags);
uint64_t f64_add(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags);
uint64_t f64_sub(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags);
uint64_t f64_mul(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags);
uint64_t f64_div(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags);
uint64_t f64_sqrt(uint64_t a, unsigned rm, uint32_t *flags);

/* ±(a × b) ± c with one rounding. Infinity × zero is invalid even when c is a quiet NaN. */
uint32_t f32_mul_add(uint32_t a, uint32_t b, uint32_t c, unsigned signs, unsigned rm, uint32_t *flags);
uint64_t f64_mul_add(uint64_t a, uint64_t b, uint64_t c, unsigned signs, unsigned rm, uint32_t *flags);

/* minimumNumber and maximumNumber: a NaN loses against a number, -0 < +0, a signalling NaN raises NV. */
uint32_t f32_min(uint32_t a, uint32_t b, uint32_t *flags);
uint32_t f32_max(uint32_t a, uint32_t b, uint32_t *flags);
uint64_t f64_min(uint64_t a, uint64_t b, uint32_t *flags);
uint64_t f64_max(uint64_t a, uint64_t b, uint32_t *flags);

/* eq is quiet (NV for signalling NaNs only); lt and le are signalling (NV for every NaN). */
bool f32_eq(uint32_t a, uint32_t b, uint32_t *flags);
bool f32_lt(uint32_t a, uint32_t b, uint32_t *flags);
bool f32_le(uint32_t a, uint32_t b, uint32_t *flags);
bool f64_eq(uint64_t a, uint64_t b, uint32_t *flags);
bool f64_lt(uint64_t a, uint64_t b, uint32_t *flags);
bool f64_le(uint64_t a, uint64_t b, uint32_t *flags);

/* The one-hot class mask of FCLASS: bit 0 -inf … bit 9 quiet NaN. */
uint32_t f32_classify(uint32_t a);
uint32_t f64_classify(uint64_t a);

/*
 * To integers: out of range saturates with NV (and no NX); a NaN gives the largest value with NV.
 * The caller sign-extends 32-bit results (the unsigned ones too) into the register.
 */
int32_t f32_to_i32(uint32_t a, unsigned rm, uint32_t *flags);
uint32_t f32_to_u32(uint32_t a, unsigned rm, uint32_t *flags);
int64_t f32_to_i64(uint32_t a, unsigned rm, uint32_t *flags);
uint64_t f32_to_u64(uint32_t a, unsigned rm, uint32_t *flags);
int32_t f64_to_i32(uint64_t a, unsigned rm, uint32_t *flags);
uint32_t f64_to_u32(uint64_t a, unsigned rm, uint32_t *flags);
int64_t f64_to_i64(uint64_t a, unsigned rm, uint32_t *flags);
uint64_t f64_to_u64(uint64_t a, unsigned rm, uint32_t *flags);

uint32_t f32_from_i32(int32_t a, unsigned rm, uint32_t *flags);
uint32_t f32_from_u32(uint32_t a, unsigned rm, uint32_t *flags);
uint32_t f32_from_i64(int64_t a, unsigned rm, uint32_t *flags);
uint32_t f32_from_u64(uint64_t a, unsigned rm, uint32_t *flags);
uint64_t f64_from_i32(int32_t a);
uint64_t f64_from_u32(uint32_t a);
uint64_t f64_from_i64(int64_t a, unsigned rm, uint32_t *flags);
uint64_t f64_from_u64(uint64_t a, unsigned rm, uint32_t *flags);

uint64_t f64_from_f32(uint32_t a, uint32_t *flags);
uint32_t f32_from_f64(uint64_t a, unsigned rm, uint32_t *flags);

#endif
