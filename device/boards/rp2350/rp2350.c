// Random numbers from the RP2350's TRNG, and the dates that Mbed TLS checks. NEVER RUN ON A CHIP.
//
// Rules:
// 1. All health tests of the TRNG are on: von Neumann, continuous test, autocorrelation (datasheet, "TRNG"). A failed
//    one discards the 192 bits, and ATTEMPTS failures in a row mean that there are no random numbers.
// 2. HMAC_DRBG (NIST SP 800-90A 10.1.2) is between the TRNG and every key. Each start seeds it again.
// 3. Mbed TLS seeds itself from the TRNG too: the linker puts the function below in place of MicroPython's, which
//    samples the ring oscillator (micropython.cmake, --wrap).
// 4. Without a trusted time no date is checked: chain, name and usage still are.
#include <string.h>

#include "hardware/resets.h"
#include "hardware/structs/trng.h"
#include "hardware/timer.h"
#include "mbedtls/entropy.h"
#include "mbedtls/hmac_drbg.h"
#include "mbedtls/md.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/x509.h"
#include "pico/unique_id.h"

#include "rp2350.h"

#define EHR_BYTES (24)
#define ATTEMPTS (8)
#define TIMEOUT_US (500000)
#define SAMPLE_CYCLES (1000) // between two samples of the ring oscillator; not tuned on a chip

static mbedtls_hmac_drbg_context drbg;
static bool is_seeded;
static bool are_dates_checked;

// Returns whether 192 bits that passed all tests are in `words` (rule 1).
static bool collect(uint32_t words[6]) {
    reset_unreset_block_num_wait_blocking(RESET_TRNG); // clears a failed autocorrelation test as well
    trng_hw->rnd_source_enable = 0;
    trng_hw->trng_debug_control = 0; // no test is bypassed
    trng_hw->trng_config = 0;
    trng_hw->sample_cnt1 = SAMPLE_CYCLES;
    trng_hw->rng_icr = TRNG_RNG_ICR_BITS;
    trng_hw->rnd_source_enable = TRNG_RND_SOURCE_ENABLE_BITS;
    const uint64_t start = time_us_64();
    uint32_t status;
    do {
        status = trng_hw->rng_isr;
    } while (status == 0 && time_us_64() - start < TIMEOUT_US);
    for (unsigned index = 0; index < 6; index++) {
        words[index] = trng_hw->ehr_data[index];
    }
    trng_hw->rnd_source_enable = 0;
    return status == TRNG_RNG_ISR_EHR_VALID_BITS;
}

// In the form of Mbed TLS's f_entropy.
static int trng_bytes(void *unused, unsigned char *data, size_t length) {
    (void)unused;
    uint32_t words[6];
    int error = 0;
    unsigned failures = 0;
    while (length > 0 && error == 0) {
        if (collect(words)) {
            const size_t part = length < EHR_BYTES ? length : EHR_BYTES;
            memcpy(data, words, part);
            data += part;
            length -= part;
            failures = 0;
        } else if (++failures == ATTEMPTS) {
            error = MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
        }
    }
    mbedtls_platform_zeroize(words, sizeof(words));
    return error;
}

bool entropy_is_ready(void) {
    if (!is_seeded) {
        pico_unique_board_id_t id; // makes two chips differ also if their generators did not
        pico_get_unique_board_id(&id);
        mbedtls_hmac_drbg_init(&drbg);
        is_seeded = mbedtls_hmac_drbg_seed(&drbg, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), trng_bytes, NULL,
            id.id, sizeof(id.id)) == 0;
        if (!is_seeded) {
            mbedtls_hmac_drbg_free(&drbg);
        }
    }
    return is_seeded;
}

int entropy_random(void *unused, unsigned char *data, size_t length) {
    (void)unused;
    if (!entropy_is_ready()) {
        return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
    }
    while (length > 0) {
        const size_t part = length < MBEDTLS_HMAC_DRBG_MAX_REQUEST ? length : MBEDTLS_HMAC_DRBG_MAX_REQUEST;
        const int error = mbedtls_hmac_drbg_random(&drbg, data, part);
        if (error != 0) {
            return error;
        }
        data += part;
        length -= part;
    }
    return 0;
}

int __wrap_mbedtls_hardware_poll(void *unused, unsigned char *data, size_t length, size_t *written);

// Mbed TLS's entropy collector calls this for each TLS context (rule 3).
int __wrap_mbedtls_hardware_poll(void *unused, unsigned char *data, size_t length, size_t *written) {
    const int error = trng_bytes(unused, data, length);
    *written = error == 0 ? length : 0;
    return error;
}

void rp2350_check_dates(bool is_checked) {
    are_dates_checked = is_checked;
}

int __real_mbedtls_x509_time_cmp(const mbedtls_x509_time *t1, const mbedtls_x509_time *t2);
int __wrap_mbedtls_x509_time_cmp(const mbedtls_x509_time *t1, const mbedtls_x509_time *t2);

// Mbed TLS compares every date through this function (rule 4): 0 means that both are the same.
int __wrap_mbedtls_x509_time_cmp(const mbedtls_x509_time *t1, const mbedtls_x509_time *t2) {
    return are_dates_checked ? __real_mbedtls_x509_time_cmp(t1, t2) : 0;
}
