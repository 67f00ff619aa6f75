// ECDSA verification on P-256. The file p256-m.c of Mbed TLS's tarball (3rdparty/p256-m) gives numbers from bytes, their
// range, the curve's equation and arithmetic modulo n. Ours are the multiplication modulo p and one chain of doublings
// for both scalars (Shamir's trick, signed windows of 5 bits): p256-m is made to be small, and takes 56 M instructions.
//
// Numbers modulo p are as in p256-m: eight words, the lowest first, times 2^256 (Montgomery's form), always below p.
#include "p256.h"

// p256-m as a part of this file: its functions are static where it can be, and the others are dropped by the linker.
// MUL64_IS_CONSTANT_TIME selects its multiplication in C. Whether that is true does not matter: no number is secret.
#define MBEDTLS_PSA_P256M_DRIVER_ENABLED
#define MUL64_IS_CONSTANT_TIME
#undef __ARM_ARCH_PROFILE
#define PSA_CRYPTO_H
#define psa_generate_random(output, size) (-1)
#include "p256-m.c"

#define WORDS (8)
#define DIGITS (257)     // of a scalar in signed windows
#define WINDOW_BITS (5)
#define MULTIPLES (8)    // odd ones: 1, 3 .. 15

typedef uint32_t number_t[WORDS];

typedef struct {
    number_t x, y;
} affine_t;

typedef struct {
    number_t x, y, z; // (x/z^2, y/z^3); z is 0 for the point at infinity
} point_t;

// The odd multiples of the base point.
static const affine_t G_MULTIPLES[MULTIPLES] = {
    {{0x18a9143c, 0x79e730d4, 0x5fedb601, 0x75ba95fc, 0x77622510, 0x79fb732b, 0xa53755c6, 0x18905f76},
     {0xce95560a, 0xddf25357, 0xba19e45c, 0x8b4ab8e4, 0xdd21f325, 0xd2e88688, 0x25885d85, 0x8571ff18}}, // 1 G
    {{0x4eebc127, 0xffac3f90, 0x087d81fb, 0xb027f84a, 0x87cbbc98, 0x66ad77dd, 0xb6ff747e, 0x26936a3f},
     {0xc983a7eb, 0xb04c5c1f, 0x0861fe1a, 0x583e47ad, 0x1a2ee98e, 0x78820831, 0xe587cc07, 0xd5f06a29}}, // 3 G
    {{0xc45c61f5, 0xbe1b8aae, 0x94b9537d, 0x90ec649a, 0xd076c20c, 0x941cb5aa, 0x890523c8, 0xc9079605},
     {0xe7ba4f10, 0xeb309b4a, 0xe5eb882b, 0x73c568ef, 0x7e7a1f68, 0x3540a987, 0x2dd1e916, 0x73a076bb}}, // 5 G
    {{0xa0173b4f, 0x0746354e, 0xd23c00f7, 0x2bd20213, 0x0c23bb08, 0xf43eaab5, 0xc3123e03, 0x13ba5119},
     {0x3f5b9d4d, 0x2847d030, 0x5da67bdd, 0x6742f2f2, 0x77c94195, 0xef933bdc, 0x6e240867, 0xeaedd915}}, // 7 G
    {{0x264e20e8, 0x75c96e8f, 0x59a7a841, 0xabe6bfed, 0x44c8eb00, 0x2cc09c04, 0xf0c4e16b, 0xe05b3080},
     {0xa45f3314, 0x1eb7777a, 0xce5d45e3, 0x56af7bed, 0x88b12f1a, 0x2b6e019a, 0xfd835f9b, 0x086659cd}}, // 9 G
    {{0x6245e404, 0xea7d260a, 0x6e7fdfe0, 0x9de40795, 0x8dac1ab5, 0x1ff3a415, 0x649c9073, 0x3e7090f1},
     {0x2b944e88, 0x1a768561, 0xe57f61c8, 0x250f939e, 0x1ead643d, 0x0c0daa89, 0xe125b88e, 0x68930023}}, // 11 G
    {{0x4b2ed709, 0xccc42563, 0x856fd30d, 0x0e356769, 0x559e9811, 0xbcbcd43f, 0x5395b759, 0x738477ac},
     {0xc00ee17f, 0x35752b90, 0x742ed2e3, 0x68748390, 0xbd1f5bc1, 0x7cd06422, 0xc9e7b797, 0xfbc08769}}, // 13 G
    {{0xbc60055b, 0x72bcd8b7, 0x56e27e4b, 0x03cc23ee, 0xe4819370, 0xee337424, 0x0ad3da09, 0xe2aa0e43},
     {0x6383c45d, 0x40b8524f, 0x42a41b25, 0xd7663554, 0x778a4797, 0x64efa6de, 0x7079adf4, 0x2042170a}}, // 15 G
};

// Numbers modulo p ------------------------------------------------------------------------------------------

// z - p if z, with `carry` at 2^256, is not below p. Almost no z without a carry is: it begins with 32 ones.
static void settle(number_t z, uint32_t carry) {
    number_t less;
    if (carry != 0 || (z[7] == 0xFFFFFFFFu && u256_sub(less, z, p256_p.m) == 0)) {
        u256_sub(z, z, p256_p.m);
    }
}

// product / 2^256 mod p. As -1/p = 1 modulo 2^32, the factors of p that clear the lower words are those words; and
// p = 2^256 - 2^224 + 2^192 + 2^96 - 1, so that each of them is added in three columns and subtracted in one.
static void reduce(number_t z, const uint32_t product[2 * WORDS]) {
    number_t factors;
    int64_t column = 0;
#pragma GCC unroll 8
    for (unsigned i = 0; i < WORDS; i++) {
        column += product[i];
        column += i >= 3 ? factors[i - 3] : 0;
        column += i >= 6 ? factors[i - 6] : 0;
        column -= i >= 7 ? factors[i - 7] : 0;
        factors[i] = (uint32_t)column;
        column >>= 32;
    }
#pragma GCC unroll 8
    for (unsigned i = 0; i < WORDS; i++) {
        column += product[WORDS + i];
        column += factors[i];
        column += i < 3 ? factors[i + 5] : 0;
        column += i < 6 ? factors[i + 2] : 0;
        column -= i < 7 ? factors[i + 1] : 0;
        z[i] = (uint32_t)column;
        column >>= 32;
    }
    settle(z, (uint32_t)column);
}

// z = x * y / 2^256 mod p.
static void multiply(number_t z, const number_t x, const number_t y) {
    uint32_t product[2 * WORDS] = {0};
    for (unsigned i = 0; i < WORDS; i++) {
        const uint32_t factor = x[i];
        uint32_t carry = 0;
#pragma GCC unroll 8
        for (unsigned k = 0; k < WORDS; k++) {
            const uint64_t sum = (uint64_t)factor * y[k] + product[i + k] + carry;
            product[i + k] = (uint32_t)sum;
            carry = (uint32_t)(sum >> 32);
        }
        product[i + WORDS] = carry;
    }
    reduce(z, product);
}

static void square(number_t z, const number_t x) {
    multiply(z, x, x);
}

static void add(number_t z, const number_t x, const number_t y) {
    settle(z, u256_add(z, x, y));
}

static void subtract(number_t z, const number_t x, const number_t y) {
    if (u256_sub(z, x, y) != 0) {
        u256_add(z, z, p256_p.m);
    }
}

static bool is_zero(const number_t x) {
    return u256_diff0(x) == 0;
}

// Points ----------------------------------------------------------------------------------------------------

// x3 = m^2 - 2s, y3 = m(s - x3) - 8y^4, z3 = 2yz, where m = 3(x - z^2)(x + z^2) and s = 4xy^2
// (Guide to Elliptic Curve Cryptography, 3.2.2). Right for every point: infinity stays infinity.
static void twice(point_t *p) {
    number_t m, s, t;
    square(t, p->z);
    subtract(s, p->x, t);
    add(t, p->x, t);
    multiply(t, t, s);
    add(m, t, t);
    add(m, m, t);
    multiply(p->z, p->z, p->y);
    add(p->z, p->z, p->z);
    square(t, p->y);
    add(t, t, t); // 2y^2
    multiply(s, p->x, t);
    add(s, s, s);
    square(t, t);
    add(t, t, t); // 8y^4
    square(p->x, m);
    subtract(p->x, p->x, s);
    subtract(p->x, p->x, s);
    subtract(s, s, p->x);
    multiply(s, s, m);
    subtract(p->y, s, t);
}

// p + q for every p and q, where q is (x, y), or (x/z^2, y/z^3) if z is not NULL; q is not infinity.
static void plus(point_t *p, const number_t x, const number_t y, const uint32_t *z) {
    if (is_zero(p->z)) {
        memcpy(p->x, x, sizeof(p->x));
        memcpy(p->y, y, sizeof(p->y));
        m256_set32(p->z, 1, &p256_p);
        if (z != NULL) {
            memcpy(p->z, z, sizeof(p->z));
        }
        return;
    }
    number_t h, r, t;
    if (z != NULL) { // both points over the same z
        square(t, z);
        multiply(p->x, p->x, t);
        multiply(t, t, z);
        multiply(p->y, p->y, t);
    }
    square(t, p->z);
    multiply(h, x, t);
    multiply(t, t, p->z);
    multiply(r, y, t);
    subtract(h, h, p->x);
    subtract(r, r, p->y);
    if (z != NULL) {
        multiply(p->z, p->z, z);
    }
    if (is_zero(h)) {
        if (is_zero(r)) {
            memcpy(p->x, x, sizeof(p->x));
            memcpy(p->y, y, sizeof(p->y));
            m256_set32(p->z, 1, &p256_p);
            if (z != NULL) {
                memcpy(p->z, z, sizeof(p->z));
            }
            twice(p);
        } else {
            memset(p, 0, sizeof(*p));
        }
        return;
    }
    multiply(p->z, p->z, h);
    square(t, h);
    multiply(h, h, t); // h^3
    multiply(t, t, p->x);
    square(p->x, r);
    subtract(p->x, p->x, h);
    subtract(p->x, p->x, t);
    subtract(p->x, p->x, t);
    subtract(t, t, p->x);
    multiply(t, t, r);
    multiply(h, h, p->y);
    subtract(p->y, t, h);
}

// Adds `digit` times a point, where `digit` is odd; `y` is the point's second coordinate.
static void plus_signed(point_t *p, const number_t x, const number_t y, const uint32_t *z, int digit) {
    static const number_t zero = {0};
    number_t negative;
    if (digit < 0) {
        subtract(negative, zero, y);
    }
    plus(p, x, digit < 0 ? negative : y, z);
}

// The scalar as sum of digits[i] * 2^i: each digit is 0 or odd, between -15 and 15.
static void to_digits(int8_t digits[DIGITS], const number_t scalar) {
    uint32_t rest[WORDS + 1];
    memcpy(rest, scalar, sizeof(number_t));
    rest[WORDS] = 0;
    for (unsigned i = 0; i < DIGITS; i++) {
        int digit = 0;
        if ((rest[0] & 1) != 0) {
            digit = (int)(rest[0] & ((1u << WINDOW_BITS) - 1));
            rest[0] -= (uint32_t)digit;
            if (digit >= 1 << (WINDOW_BITS - 1)) {
                digit -= 1 << WINDOW_BITS;
                uint64_t sum = (uint64_t)rest[0] + (1u << WINDOW_BITS);
                for (unsigned k = 0; k < WORDS; k++) {
                    rest[k] = (uint32_t)sum;
                    sum = (sum >> 32) + rest[k + 1];
                }
                rest[WORDS] = (uint32_t)sum;
            }
        }
        digits[i] = (int8_t)digit;
        for (unsigned k = 0; k < WORDS; k++) {
            rest[k] = rest[k] >> 1 | rest[k + 1] << 31;
        }
        rest[WORDS] >>= 1;
    }
}

// u1 * G + u2 * Q.
static void joint(point_t *sum, const number_t u1, const number_t u2, const affine_t *q) {
    point_t multiples[MULTIPLES];
    point_t two = {0};
    plus(&two, q->x, q->y, NULL);
    multiples[0] = two;
    twice(&two);
    for (unsigned i = 1; i < MULTIPLES; i++) {
        multiples[i] = multiples[i - 1];
        plus(&multiples[i], two.x, two.y, two.z);
    }
    int8_t first[DIGITS], second[DIGITS];
    to_digits(first, u1);
    to_digits(second, u2);
    memset(sum, 0, sizeof(*sum));
    for (unsigned i = DIGITS; i-- > 0;) {
        twice(sum);
        if (first[i] != 0) {
            const affine_t *one = &G_MULTIPLES[(unsigned)(first[i] < 0 ? -first[i] : first[i]) / 2];
            plus_signed(sum, one->x, one->y, NULL, first[i]);
        }
        if (second[i] != 0) {
            const point_t *one = &multiples[(unsigned)(second[i] < 0 ? -second[i] : second[i]) / 2];
            plus_signed(sum, one->x, one->y, one->z, second[i]);
        }
    }
}

// Signatures ------------------------------------------------------------------------------------------------

// Whether the point's x, as a number below p, is `number`.
static bool has_x(const point_t *point, const number_t number) {
    number_t wanted, t;
    square(t, point->z);
    multiply(wanted, number, p256_p.R2);
    multiply(wanted, wanted, t);
    return u256_diff(wanted, point->x) == 0;
}

p256_result_t p256_verify(const uint8_t point[P256_POINT_BYTES], const uint8_t digest[P256_DIGEST_BYTES],
    const uint8_t signature[P256_SIGNATURE_BYTES]) {
    affine_t key;
    number_t r, s, u1, u2;
    if (point_from_bytes(key.x, key.y, point) != 0) {
        return P256_BAD_KEY;
    }
    if (scalar_from_bytes(r, signature) != 0 || scalar_from_bytes(s, signature + 32) != 0) {
        return P256_WRONG;
    }
    m256_prep(s, &p256_n);
    m256_inv(s, s, &p256_n);
    ecdsa_m256_from_hash(u1, digest, P256_DIGEST_BYTES);
    m256_mul(u1, u1, s, &p256_n);
    m256_done(u1, &p256_n);
    m256_mul(u2, r, s, &p256_n); // r is not in Montgomery's form, so the product is in the ordinary one
    point_t sum;
    joint(&sum, u1, u2, &key);
    if (is_zero(sum.z)) {
        return P256_WRONG;
    }
    // The x of a point is below p, which is above n: it is r or, if that is below p, r + n.
    if (has_x(&sum, r)) {
        return P256_VALID;
    }
    number_t t;
    const bool is_below = u256_add(r, r, p256_n.m) == 0 && u256_sub(t, r, p256_p.m) != 0;
    return is_below && has_x(&sum, r) ? P256_VALID : P256_WRONG;
}

// Reads one INTEGER. Returns the bytes after it, or NULL.
static const uint8_t *read_integer(const uint8_t *der, const uint8_t *end, uint8_t number[32]) {
    if (end - der < 3 || der[0] != 0x02 || der[1] == 0 || der[1] > 33 || end - der < 2 + der[1]) {
        return NULL;
    }
    size_t bytes = der[1];
    const uint8_t *value = der + 2;
    const uint8_t *after = value + bytes;
    if (value[0] == 0 && bytes > 1) {
        if (value[1] < 0x80) {
            return NULL; // a needless zero
        }
        value++;
        bytes--;
    } else if (value[0] >= 0x80) {
        return NULL; // negative
    }
    if (bytes > 32) {
        return NULL;
    }
    memset(number, 0, 32 - bytes);
    memcpy(number + 32 - bytes, value, bytes);
    return after;
}

bool p256_signature_from_der(const uint8_t *der, size_t bytes, uint8_t signature[P256_SIGNATURE_BYTES]) {
    if (bytes < 2 || bytes > 72 || der[0] != 0x30 || der[1] != bytes - 2) {
        return false;
    }
    const uint8_t *end = der + bytes;
    const uint8_t *second = read_integer(der + 2, end, signature);
    return second != NULL && read_integer(second, end, signature + 32) == end;
}
