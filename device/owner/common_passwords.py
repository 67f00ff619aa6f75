"""Well-known passwords and the words that they are made of, for device/owner/passwords.py, by first letter.

Source: the list of the 100 000 most used passwords that the UK's National Cyber Security Centre published from Have I
Been Pwned's data (ncsc.gov.uk, "Passwords, passwords everywhere"). From it: the most frequent entries of five and more
letters, and those entries of fifteen and more characters that the other rules of passwords.py do not refuse. Left out:
obscenities and account names of people. Added: seasons, months, days and a few words for devices. Each word is in the
form that `canonical` gives. The words of a letter are in ascending order, as `_word_chars` needs them.
"""

WORDS = {
    "3": "30secondstomars",
    "8": "827ccb0eea8a706c4c",
    "a": (
        "aaaaaa abcdef abcdefg adidas admin administrator adrian alexander alexandra alexis amanda america "
        "andrea andrew angel angela angels anthony antonio apple apples april arsenal asdasd asdfasdf asdfgh "
        "asdfghjkl ashley august austin autumn avengedsevenfold azerty"
    ),
    "b": (
        "babygirl bailey banana bandit barbie barcelona baseball basketball batman beautiful beauty benjamin "
        "booboo brandon bubbles buster butterfly"
    ),
    "c": (
        "californication cameron canada carlos carolina caroline casper ceckbrcerfkbxyjcnm2 changeme charles "
        "charlie charlotte cheese chelsea cherry chester chicken chocolate chris christian cjmasterinf "
        "cocacola cod12qw75rqyi59n computer cookie cooper correcthorsebatterystaple cristianoronaldo cristina "
        "crystal"
    ),
    "d": (
        "d1bd6bc58c1d74df41a957489c9942f5 d41d8cd98f00b204e980 dakota dallas daniel daniela danielle david "
        "december default demon1q2w3e4r5t dennis destiny diablo diamond diosesfiel dolphin dragon"
    ),
    "e": "e10adc3949ba59abbe56 edward elephant elizabeth eminem emmanuel exigent",
    "f": "family february ferrari flower flowers football forever freedom friday friend friends",
    "g": (
        "gabriel galatasaray gemini genius george gfhjkm ghbdtn ginger goderdzikarxjxv golfer google guitar "
        "gwerty gygypyfyyyposhy"
    ),
    "h": (
        "hahaha hallucinationse hannah harley hd764nw5d7e1vb1 heather heaven hello hellokitty hockey "
        "holidaysecure123 homelesspa hunter"
    ),
    "i": "ijfrnhf7yhcy54bhy0cd iloveu iloveyou inactive1996aug internet",
    "j": (
        "jackie jackson jafjkshf7y6w34rjd james january jasmine jasper jennifer jeremy jessica jessie jesus "
        "johnny jonathan jordan joseph joshua july june junior justin juventus"
    ),
    "k": "kartoffelpuffer kikugalanetroot killer",
    "l": (
        "lakers lalala lauren letmein lhbjkjubz2957704 lightpower linkedin liverpool login london louise "
        "loulou lovelove lovely loveme lovers loveyou"
    ),
    "m": (
        "madison maggie manchester manchesterunited mandds1mg6bv8re march marina martin master matrix matthew "
        "melissa mercedes merlin metallica mexico michael michelle mickey midnight migrationsandeep "
        "migrationschool mknaxhxeh8yp3tf monday money monica monkey monster morgan mother muffin music "
        "mustang mychemicalromance mylove mynoob myspace"
    ),
    "n": (
        "narashchivaiunoghti naruto natasha nathan neworleans newyork nicholas nicolas nicole nikita nirvana "
        "nothing november"
    ),
    "o": "october oliver olivia opensesame openup orange",
    "p": (
        "pakistan parola password patricia patrick peaches peanut pepper phoenix playboy pokemon polniypizdec "
        "poohbear precious pretty prince princess professionaltools purple"
    ),
    "q": (
        "qazwsx qazwsxedc qazxsw qqqqqq qwaszx qweasd qweasdzxc qweqwe qwert qwerty qwertyu qwertyui "
        "qwertyuiop"
    ),
    "r": (
        "r6a50de3ujwtog4 rachel rainbow rebecca regawf7ss1dm7rn richard riwr2hky4w3tjgg robert ronaldo "
        "rtertuy77ijyhu7i"
    ),
    "s": (
        "sabrina sakura samantha samsung samuel sandra saturday school scooby scooter scorpion "
        "sdf7asdf6asdg8df sebastian secret september sergey shadow shannon siiifonjiknalivai silver slipknot "
        "smokey snoopy soccer soloveibormalei somanypickles27 sophie sparky spider spiderman spongebob spring "
        "startfinding starwars status stella stephanie steven success summer sunday sunshine superman sweety"
    ),
    "t": (
        "tagesgruppe taylor temporary tennis thisismy thomas thunder thursday tiffany tigers tigger "
        "tinkerbell tinkle toyota travelmoleoptin tudelft tuesday tweety"
    ),
    "v": "valentina vanessa veronica victor victoria vincent vladcherktecktonik vqsablpzla",
    "w": "wednesday welcome whatever william winston winter worldofwarcraft",
    "x": "xxxxxx",
    "y": "yamaha yankees yegbpltw2012lol yellow yourname",
    "z": "zxcvbn zxcvbnm zzzzzz",
}
