"""The promises of this product, checked on a whole unit (fixtures of pytest-firstboot)."""


def test_a_unit_out_of_the_box_does_nothing_until_its_owner_sets_a_password(owner):
    assert owner.get("/status").status != 200, "PW-02: only the set-up answers"
    weak = owner.set_up(password="passwordpassword1")
    assert weak.status != 303, "PW-15: a common password is refused"
    assert owner.set_up().status == 303, "PW-01: the owner's own password is accepted"


def test_an_update_brings_the_application_although_the_power_is_cut_in_it(owner, publish, power):
    owner.set_up()
    power.cut_at(8)
    update = publish(2)
    power.wait_until_cut()
    power.on()
    assert update.wait_until_confirmed()["version"].startswith("2.0.0")
    owner.wait_until("a temperature", lambda status: "temperature" in status["application"]["says"])


def test_an_update_over_coap_arrives_too(owner, publish):
    owner.set_up()
    assert publish(2, over="coap").wait_until_confirmed()["version"].startswith("2.0.0")
