"""HSS/LMS verification (RFC 8554): the same verdicts in the reference and in the C module.

The vector was made with pyhsslms 2.0 from fixed seeds: a tree of height 5 with W8 over one with W4.
"""

import hashlib

from device.crypto import backend, lms

TOP = bytes.fromhex(
    "0000000500000004494949494949494949494949494949499c7f30293d5f291ff93855127f0a21ffe0bc3765cf633f6544bf"
    "74e6da207f10"
)

SECOND = bytes.fromhex(
    "00000005000000034a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a409b4b6ea209cb478bcc28d3e5a12d3f245cd91e8af81d02d816"
    "029156bfae7f"
)

TOP_SIGNATURE = bytes.fromhex(
    "000000030000000460e772e55b4c61eb2c8cf96925885a3cd44c44d65f50cf44af3803c6d2e11070a6df0d92d884721f7576"
    "5c9dd2552a343cb8db3fec2374db7a351dd6de479ff9e6e831ba8fd5660898e0205b0450278705307409f9d10ef408f36dab"
    "334ad78ce91907af0d8583fd5e9507973962ad4b436f92afd04315308d2855efdd27809dd76dda0243c4665b10460d9f62c3"
    "d0776d731cb1296bb72ede0fa88f26434c83fd1e67fb738faa2fabe9501f59b7a59f995eba0d9a461aca29975ad4f1450a85"
    "259cd897acb18b0a278ac28f8385e6c77c50336335527f3b1016f0ed100c064364e01d3000a703190bf287d5df1c8feba5da"
    "2f8b94b6b0117ba8479d4c5bcaaea087f2eb713aac95d98f10de4700fc097c99fd704160d402750a3b77e0e077727d4b53c4"
    "915e3db1c0221f93f2faac16ee826447df206a96622d3268c89678aba488e13f9e31f64eda0972528fb5ebf05d17a37de50b"
    "81c685b596559829b9714a3ae90aed993fc7facd57c1a1c052cf3c818f7b3880c8363c2ffed9b0daaf4aeb0f916e323d1580"
    "0ccedc1027f5b06ec1098f123ef11f4eabfc857db94b19283f39d1191ae0a66fce737260d1ba2310d515371d5386339e9547"
    "9ebd4407dec4dd9875ac95148f5213920dedf590a76103fa9d56e1ceb4dc493f8bfb3b8f00e2c335410258c006d7cee504aa"
    "8f048f6b37c3e652d90c5155975ed82f22b606c35d838cce408046678d3654d8335f4a5df5a7fbe501648e4bfc2951e0c545"
    "48debcc2a71ee7bba291be5e3f28875a238193bff454f5b80af8822b3aa5756e249d19e69cfddcb879eab930813caf2b7d6d"
    "ccbe59d28311c1fb50da0207b02ee3852531fdae2650267afd639d6ced1de0c2960f6465641d6f968c49463b6e1c7b6107ca"
    "1aae2c42ac2c9cf4294de4ce1aa4040bdae74164adf2d8341cffa58af26e2d4fa96467698adef6ef7a8046cd1793715d0845"
    "e1ef763bf3fbb4df2c6863a7756571a77b9d935cfa48200d6e7924fd184c21de91fc34c54f8c60cba6f6279a68942040e2f5"
    "4d0a15e2c72da2dfa21d4c278f390575ac60c8db306537497f03fc42d8e00365389f2326e505d1d086c161d247d68fa99857"
    "db5aa7c2203a0f70610c1c9369fb5124d865eff5a838b969e1f6e86160fcbd423da844b1cb1455890e3e1d8090a7967c6cc1"
    "3aab643e4368c23e8c055ab89f86b8b051c66a1557db6687de8c6dd96d207c50a3c2687ce772211095fb9b5f36861be9a1db"
    "43b4ba83e289274de823ba4bd983b732c67966e5e361401bac8d4d445919f44fd0d8a194fd30aaf6bf604499ff60a6e4e0dd"
    "af61cb1ffc7d6a0c81264044f693a4cd88613adae92cf61e6c4efb9dba3c32d14b9a613e7c42da594ed9a59eb81ccf7ca0a6"
    "bdf37319e45fe96daf2fd9145395cd7280eaba8b112ec6c0ed351140f9b4dc99bc79bf26e96d9b373d93efecb1c232a9e441"
    "e4866c6cdb1605ceb413ec791ee5b3ded80eefd42c17fc2bdfefc079a8e7f1498a6a050d60fc781a2bef0c48d7679db9b794"
    "48ee53593208fa95410bfd0b809f305677d66356e55a38e6e875d44800000005c1123755f5b7184fdb290e9cc2663005e231"
    "b6e83e1214fac3a48160663eac70dcf3034bffa25f7808e0134d0714868ddc3a526deaa28ab0feb839aaf9a0b4911323ad49"
    "e98442c9d22ea644be8f30f0033f9fdb079a0020f650fc49e0eef99565bfbae9a5d961c6ee2fe52a6c7ce908ba30f4e24407"
    "de555d61d26b66cdcef641d35b9afa16a88592798c7faf5bb9d1de99d5c63acc1b4c8073bc5ae26c6dff"
)

SECOND_SIGNATURE = bytes.fromhex(
    "0000000a00000003020f0461eed4591041ddb28c3d2294a4e369dc9cc2091430339753f7f910efd656396c48e9d3ef0acc81"
    "d033644e3bc88ac5d0bf0aabc9f6fe2f9eadc62caeafd5bb2eef7da770db1bdf34599cdca900ee00bd5d9d1822fb532a203a"
    "5e32a55206a9b70e0b299e708d3974ef6102cfc9376ba070994d26638b0caec1639fcdda2a2d9790d47a52faad2861ef97d6"
    "8d52bbb247295c10a7e88b97721a12f3a56f1613c73fafb3871a1758e763ea831d79b1730a2f8f35ae214989ae42f3a5c869"
    "10acae004704e060aaac95d2520932899951fd54215935bb906d924de347fce7f6883386a7fc18d325e35b2311432a10df0d"
    "540654f153d93638311039b2b3b4872c8d568ce0ec046ab6a925900ed6ac68c94cf9304ddca48a341bdc2057ba3b4e387583"
    "078879728f4320acdd591b4264339360fe46953f2e0982d6f4c1b74e3d75cc20f03a88630ed801f1e2602145a48586f62a86"
    "3d5d8663c5820942ab476ca97d98f8778195aa14f21fec639c6a77f86e894b1321e2e0a3d4c07d3c5e1290e9bcfc223d12fa"
    "c685ce5bf218ba32097107c92bbe859eea483a80eb935a9420f0ce1825082d3721d2833bc3a0783a1b931fe75370e4a99733"
    "0a2445ba7ebc727ca7278d2f6265902f22a54d85855f48df2b178e762ea5e310d96c948578e3efd663ea8dbde4cc8ea1bce2"
    "9b078d46700f9de338c5cdca0f7bdd2f7b17c2cfeec57608766c510aaf4c40f77af5324529b96af053f8f6652b6f62e11006"
    "57a389f973fef6c0538cd580dc5f75bee3ef36f50d0cf721dcdc0e3d1a80a89e574ecfd5f4017c9a3fd3782047159cc01b43"
    "4bd9896b4ce1448c41163c9b1545ea018c5ecb637451ab5c60edbd2cb427298f4d67a86c510018524a0360d744c3db7bd9e8"
    "d1bd00e11839a01bcd4948875f056506d2dd4f5bb3efb777213d241db5bbda52e480f6f71c5b67f24d41a057eb5a993e9520"
    "c326102ca7fe080961e927952aaf72806e5efdc85db1fe37f340eb34163fc9f07809a7153980a422d1cb500796197eff80cb"
    "5ae93fcfbfcac1a75346c8df751e1a5a2e5d83ddc256d9b1db09aff55e2c0b653247846c5d35edec00105a883f26d91e899a"
    "cf5d33cc2c8b754e832dfd723af480db767d2bc77ddca64117a17d8f60349af60a653216a03080964094ae85e596db15d1ca"
    "5d900ad2ace640ae3a927c06095de1ea8c868f9901ba9481d18e364e2f950efafd66240a02007261ea97cddebbec3178c5b3"
    "ffd0b8dfc29f863c00c6c6ae444614beb89ba7f0eb3fd66696322fa08c5a106377497c14860b04fd9c323ca402c14203dfe8"
    "33c934a03a1ef3cc4f38b7f9627e7045387fbcf5f5d501a92fad52c57f1df2c6f7ddcb1a6dbea6108b0517a7df08fab46caf"
    "78627d95e560ce2aa5af9b7993437b0fbae23df66bbb8fcc62a579b5944a5c7789fa57256623d4d788a2d66ba27568d3adfa"
    "b2021af3cd9d926611c12973d71cb141006d7702b6de20d62be739f321ecf77adf3ec3723256669bd747e42e07dea2839fd0"
    "b965182932b6099b8a7a3430846173dc59f467dfbf55263dee9484b5e1efa8a8d82a46aac87f351e1c93fa71e71e61c8820a"
    "e0dcc9712c96200b801d3f29c16a8660d53ca47c8eedb9d19132d1e047da3036db2e3779af23c87fbad0f498f13ae81dde9b"
    "47102c9842c02b909985e1ca19633845ee7484f3dec2e05c9a21a9def3c588a80ec61927ecf829a777ee49389f398a8f7024"
    "8d498738baa53ea470c979f150017105dc8f5ea93fce34a93a0eed2d894e6b2878d5846b389a36ebeb1790ee300402023b11"
    "c7b29051657cf4fc658654409097daa5d99efc765470ce3eb160e2873857e32bfa5d28fcead918fcdbb43cd153a7b93b7b5e"
    "9f1879cdfc9803f80afd0ae5489b00352036f75714e0ee2833a4b8a43c348c8a60afc07f0450edb0507323fc91bc25c6dcc8"
    "3b75b1277279cd908c7fb40638ce48242e6706ade62c068f4033cd5d6828044cddb0331b853384eb9e43e2462f2bc2f5e296"
    "b9fa42a4605580f77b1793f91e25e05160f8037435c6e73fa47bb7dbe542f77dd9a7ca70a2a49e67978431ce6d0e647f9840"
    "a9804eea252c7e3f5eb8760d4997eea4b99419d86131904410250c0e1026813e3bcfba995ba2c7281d083156b4ce28a08e79"
    "ff85e1a39d5a11f45e92a18fd011f45dad8f1bceafc8514ac8b40bf95c085812dfa237b68263f2dc50df7cb10c1c7257883f"
    "525878c05f9218390c188a9581b23233ec8096811a66327aa0bf631e75bc0a3126d540ad5f4a0957f3d25b046bd9ce1296d7"
    "ab1e9d0a2b249cb58e8dea19373375aa834a3e406ef759c7c90aa2873fd91b23b0df099ddd7a285ecc457dab8814606cabdb"
    "e72c0812a4d98f6a18ab91c2c60cd1df6d7b28bbe02a17b58ad0323fb26a5becd50557c5161f1acfb360b81ce02edc8656bf"
    "1ac27a19e8c4aec17e6bdf6281af5feb307b5f0e97946f81cd02aa6bb279bf91cefff7762653d6c8239fce99ec7c9d9e4177"
    "69f5b0b5fa436bcf650d14be04a2908ae257bf43290e5371a51578d3c5b22f724f4865a86236031c74ff2a1716683c35f790"
    "fc0566bf26cdcd26df3b3b4262657709d17329e976aa2a2aef48487cb417e9d0c714e0b61344c69f7cb129404b875b5ecc75"
    "27a613d3a0577f5e0832e269fc2066634f4faa2bdc4d3fb323418d76d63ec2c5195497e28ab895f4585dcfc8afec575364ea"
    "8a3fa380e4bed27016aae6be93f3105fecb5c0ce9703fd9a98bed984e78b43841b14ff5e2a90b33aa883ca68df6999849c03"
    "94785e5adeedb14ba6bb054657fae7ecb4921450b3468774b9e49a1ca6a897aeceae2a01e74f048ce639b43a7ef7e99bcd19"
    "7b02566c6f822e0c061106220d641f42597a699fe2cb0bcb02afb527d3cfaf589cc68fafbe85f9d7476acf9b07dcfde8a059"
    "5a28e259b9f6814cf82222eb396584e8a7c2ebb6887ceb95fc263ffd52a3d5ef025e4e053e4ced70ddbcc5be42354bdc6512"
    "91b64b41264d42ace7b7235657773d729d7e3a6f55e9b8f829c2e8c34d83e8010639000000057804db4166c70e2d8c7c4735"
    "2f70efcbe73952c483867c9ed739db9f05b508ab4f6b4922e887de0e8446008697f9469c4bc5c6901d44a94eed7c187e165f"
    "8715a5c59fdbcdf452279c82ff432902ba3009ab2f8b0d165dfb0f50a41efc16e75506e7399f9c65c02a51ba2c8a17ef511c"
    "57191a86d60a8d090f71f56809cc46caac5a65ee52e016e3b34b6622a8d34072921b85fd79c505e73b337e804a1cc814"
)

MESSAGE = b"firstboot"
PUBLIC = (2).to_bytes(4, "big") + TOP
SIGNATURE = (1).to_bytes(4, "big") + TOP_SIGNATURE + SECOND + SECOND_SIGNATURE
IMPLEMENTATIONS = (lms.hss_verify, backend.hss_verify)


def changed(data, offset):
    damaged = bytearray(data)
    damaged[offset] ^= 1
    return bytes(damaged)


def refused_by_name(public, signature):
    names = []
    for verify in IMPLEMENTATIONS:
        try:
            verify(public, MESSAGE, signature)
        except ValueError as error:
            names.append(str(error))
    assert len(names) == len(IMPLEMENTATIONS)
    return names[0]


def test_two_levels_verify():
    for verify in IMPLEMENTATIONS:
        assert verify(PUBLIC, MESSAGE, SIGNATURE)


def test_one_level_verifies_with_w8_and_with_w4():
    one = (1).to_bytes(4, "big")
    none = (0).to_bytes(4, "big")
    for verify in IMPLEMENTATIONS:
        assert verify(one + TOP, SECOND, none + TOP_SIGNATURE)
        assert verify(one + SECOND, MESSAGE, none + SECOND_SIGNATURE)


def test_another_message_does_not_verify():
    for verify in IMPLEMENTATIONS:
        assert not verify(PUBLIC, MESSAGE + b"!", SIGNATURE)


def test_a_change_in_any_part_of_the_signature_does_not_verify():
    second = 4 + len(TOP_SIGNATURE)
    inner = second + len(SECOND)
    offsets = (
        3,  # levels
        7,  # q
        11,  # LM-OTS type
        12,  # C
        44,  # y
        44 + 34 * 32 + 3,  # LMS type
        second - 1,  # path
        second + 8,  # I of the second key
        inner - 1,  # root of the second key
        inner + 3,
        inner + 12,
        len(SIGNATURE) - 1,
    )
    for offset in offsets:
        for verify in IMPLEMENTATIONS:
            assert not verify(PUBLIC, MESSAGE, changed(SIGNATURE, offset))


def test_a_leaf_outside_the_tree_does_not_verify():
    for verify in IMPLEMENTATIONS:
        assert not verify(PUBLIC, MESSAGE, changed(SIGNATURE, 4))
        assert not verify(PUBLIC, MESSAGE, SIGNATURE[:4] + b"\xff" * 4 + SIGNATURE[8:])


def test_a_signature_that_is_longer_or_shorter_does_not_verify():
    wrong = (b"", SIGNATURE[:3], SIGNATURE[:100], SIGNATURE[:-1], SIGNATURE + b"\x00")
    for signature in wrong:
        for verify in IMPLEMENTATIONS:
            assert not verify(PUBLIC, MESSAGE, signature)


def test_another_root_does_not_verify():
    for verify in IMPLEMENTATIONS:
        assert not verify(changed(PUBLIC, 59), MESSAGE, SIGNATURE)


def test_types_that_are_not_supported_are_refused_by_name():
    for number, name in ((8, "LMS_SHA256_M32_H20"), (9, "LMS_SHA256_M32_H25")):
        public = PUBLIC[:4] + number.to_bytes(4, "big") + PUBLIC[8:]
        assert name in refused_by_name(public, SIGNATURE)
    for number, name in ((1, "LMOTS_SHA256_N32_W1"), (2, "LMOTS_SHA256_N32_W2")):
        public = PUBLIC[:8] + number.to_bytes(4, "big") + PUBLIC[12:]
        assert name in refused_by_name(public, SIGNATURE)


def test_three_levels_are_refused_by_name():
    assert "3 levels" in refused_by_name((3).to_bytes(4, "big") + TOP, SIGNATURE)


def test_a_public_key_of_another_length_is_refused():
    for public in (b"", PUBLIC[:-1], PUBLIC + b"\x00"):
        refused_by_name(public, SIGNATURE)


def test_a_digest_is_written_into_a_part_of_what_it_hashes():
    buffer = bytearray(b"head" + bytes(32))
    expected = hashlib.sha256(bytes(buffer)).digest()
    lms.sha256_into(memoryview(buffer)[4:], buffer)
    assert bytes(buffer) == b"head" + expected


def test_a_digest_needs_room_of_exactly_its_length():
    for size in (31, 33):
        buffer = bytearray(40)
        try:
            lms.sha256_into(memoryview(buffer)[:size], b"")
        except ValueError:
            assert buffer == bytearray(40)
            continue
        raise AssertionError("written")
