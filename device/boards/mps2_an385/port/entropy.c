// The unit's random generator: HMAC_DRBG (NIST SP 800-90A 10.1.2) with SHA-256.
//
// Rules:
// 1. It is seeded from the power-on seed and from the state that the last start left in NVM. After a reset the
//    power-on seed repeats; with the state no two starts have the same input.
// 2. The next state is durable before the first output.
// 3. The state is written to two sectors in turn: a power cut during one write leaves the other.
// 4. Without a seed, or when the state cannot be written, there is no output: no keys, no TLS, no nonces.
#include <string.h>

#include "py/mperrno.h"
#include "py/runtime.h"

#include "board.h"
#include "mbedtls/entropy.h"
#include "mbedtls/hmac_drbg.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/sha256.h"

#define STATE_MAGIC (0x53454246u) // "FBES"
#define STATE_BYTES (96)
#define DIGESTED_BYTES (64)

// In NVM this is three units. The digest is in the last one, so a torn write is detected.
typedef struct {
    uint32_t magic;
    uint32_t struct_version;
    uint64_t counter;
    uint8_t reserved[16];
    uint8_t secret[32];
    uint8_t digest[32];
} entropy_state_t;
_Static_assert(sizeof(entropy_state_t) == STATE_BYTES && STATE_BYTES % NVM_UNIT_BYTES == 0, "entropy state");

static mbedtls_hmac_drbg_context drbg;
static bool is_ready;
static bool is_test_seed;

static uint32_t sector_offset(unsigned index) {
    return NVM_ENTROPY_OFFSET + index * NVM_SECTOR_BYTES;
}

static bool load_state(unsigned index, entropy_state_t *state) {
    uint8_t digest[32];
    memcpy(state, nvm_at(sector_offset(index)), sizeof(*state));
    return state->magic == STATE_MAGIC && state->struct_version == 1
           && mbedtls_sha256((const uint8_t *)state, DIGESTED_BYTES, digest, 0) == 0
           && memcmp(digest, state->digest, sizeof(digest)) == 0;
}

// Finds the newer valid state; all zeros without a valid one. `next` is the sector for the next state.
static bool newest_state(entropy_state_t *state, unsigned *next) {
    entropy_state_t other;
    bool has_0 = load_state(0, state);
    bool has_1 = load_state(1, &other);
    *next = 0;
    if (has_0 && (!has_1 || state->counter >= other.counter)) {
        *next = 1;
    } else if (has_1) {
        *state = other;
    } else {
        memset(state, 0, sizeof(*state));
    }
    mbedtls_platform_zeroize(&other, sizeof(other));
    return has_0 || has_1;
}

static bool store_state(entropy_state_t *state, uint64_t counter, unsigned sector) {
    memset(state, 0, sizeof(*state));
    state->magic = STATE_MAGIC;
    state->struct_version = 1;
    state->counter = counter;
    return mbedtls_hmac_drbg_random(&drbg, state->secret, sizeof(state->secret)) == 0
           && mbedtls_sha256((const uint8_t *)state, DIGESTED_BYTES, state->digest, 0) == 0
           && nvm_erase_unguarded(sector_offset(sector)) == 0
           && nvm_write_unguarded(sector_offset(sector), (const uint8_t *)state, sizeof(*state)) == 0;
}

void entropy_init(void) {
    power_on_page_t *page = (power_on_page_t *)power_on_page();
    if (page == NULL || !(page->flags & POWER_ON_SEED_PRESENT)) {
        return;
    }
    is_test_seed = (page->flags & POWER_ON_SEED_FIXED) != 0;
    entropy_state_t state;
    unsigned next;
    newest_state(&state, &next);
    // The seed, then what makes this start differ from every other start of this and of every other unit.
    uint8_t input[32 + 32 + 8 + 16];
    memcpy(input, page->seed, 32);
    memcpy(input + 32, state.secret, 32);
    memcpy(input + 64, &state.counter, 8);
    memcpy(input + 72, page->hardware_id, 16);
    mbedtls_hmac_drbg_init(&drbg);
    bool is_seeded = mbedtls_hmac_drbg_seed_buf(&drbg, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), input,
        sizeof(input)) == 0;
    is_ready = is_seeded && store_state(&state, state.counter + 1, next);
    mbedtls_platform_zeroize(&state, sizeof(state));
    mbedtls_platform_zeroize(input, sizeof(input));
    // Nothing can read the seed after this line; the machine restores it at the next reset.
    mbedtls_platform_zeroize(page->seed, sizeof(page->seed));
}

bool entropy_is_ready(void) {
    return is_ready;
}

bool entropy_is_test_seed(void) {
    return is_test_seed;
}

int entropy_random(void *unused, unsigned char *data, size_t length) {
    (void)unused;
    if (!is_ready) {
        return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
    }
    while (length > 0) {
        size_t part = length < MBEDTLS_HMAC_DRBG_MAX_REQUEST ? length : MBEDTLS_HMAC_DRBG_MAX_REQUEST;
        int error = mbedtls_hmac_drbg_random(&drbg, data, part);
        if (error != 0) {
            return error;
        }
        data += part;
        length -= part;
    }
    return 0;
}

// Called by Mbed TLS's entropy collector, from which each TLS context seeds itself.
int mbedtls_hardware_poll(void *unused, unsigned char *data, size_t length, size_t *written) {
    *written = 0;
    int error = entropy_random(unused, data, length);
    if (error == 0) {
        *written = length;
    }
    return error;
}

static mp_obj_t mp_os_urandom(mp_obj_t count_in) {
    mp_int_t count = mp_obj_get_int(count_in);
    if (count < 0 || count > 65536) {
        mp_raise_ValueError(MP_ERROR_TEXT("0 to 65536 bytes"));
    }
    vstr_t vstr;
    vstr_init_len(&vstr, (size_t)count);
    if (entropy_random(NULL, (uint8_t *)vstr.buf, vstr.len) != 0) {
        mp_raise_OSError(MP_ENODEV);
    }
    return mp_obj_new_bytes_from_vstr(&vstr);
}
MP_DEFINE_CONST_FUN_OBJ_1(mp_os_urandom_obj, mp_os_urandom);
