"""Classes of words that patterns and the reading of values share, per language."""

from __future__ import annotations

from typing import Final

from orchestrator_calls.dialogue._lexicon._model import Vocabulary

__all__ = ["ENGLISH", "FRENCH", "GERMAN", "SPANISH"]

ENGLISH: Final = Vocabulary(
    sounds={
        "mm hmm": "yes",
        "mm hm": "yes",
        "mmhmm": "yes",
        "mhm": "yes",
        "uh huh": "yes",
        "uhuh": "yes",
        "nuh uh": "no",
        "uh uh": "no",
        "double u": "w",
    },
    classes={
        "we": "we are|we will be|we would be|we are going to be|there are|there will be|there would be|there is|it will be|it would be|"
        "it is going to be",
        "day": "monday|tuesday|wednesday|thursday|friday|saturday|sunday|today|tomorrow|tonight|this evening|weekend|at noon",
        "want": "require|requires|requiring|wish|wishing|block|fix me|fix us|hold|schedule|pencil|put us down|put me down|want|wants|wanted|need|needs|needed|like|love|fancy|prefer|looking for|looking to|hoping for|hoping to|after a|"
        "after some|get|getting|got|have a|have any|book|booking|book in|reserve|reserving|arrange|organise|organize|grab|squeeze|fit|"
        "possible|wondering|thought|thinking|would be nice|would be lovely|any chance|hope to|interested in|make|order|do me|do us|give me|give us|plan|planning|try|trying|available|availability|"
        "free|vacant|vacancy|vacancies|spare|left|treat",
        "change": "change|changed|changing|modify|amend|alter|move|moved|moving|shift|push|pushed|bring forward|bring it forward|"
        "rebook|reschedule|rearrange|re-arrange|postpone|extend|shorten|delay|put back|put it back|swap|switch|adjust|update|instead|earlier|later",
        "cancel": "cancel|cancelled|canceled|cancelling|call off|call it off|get rid of|scrap|can not make it|no longer need|not be needing|not need|not be requiring|change of plan|change of plans|plans have changed|fell through|fallen through|will not make it|would not make it|plans changed|not going to make it|"
        "not be able to make it|can not come|not be coming|not coming|not need it|not need the|something came up|something has come up",
        "booking": "reservation|reservations|booking|booked|reserved|our stay|my stay",
        "bring": "bring|send|deliver|get|fetch|drop|run|carry",
        "goods": "towel*|pillow*|blanket*|duvet*|soap|shampoo|shower gel|toothbrush|toothpaste|toilet paper|toilet roll*|bathrobe*|"
        "slippers|iron|hairdryer|hair dryer|kettle|hanger*|ice|water|coffee|tea|sandwich*|burger*|bottle of|bottles of|salad*|wine|beer*|champagne|"
        "snack*|wine glasses|cot|crib",
        "past": "yesterday|last night|last week|last month|last time|last year|the other day|already",
        "done": "(already|has|have|had) [already|just] (booked|reserved|made)|(wife|husband|friend|he|she|they|colleague|partner) "
        "[already|just] (booked|reserved|made)",
    },
    rejections=("instead of", "rather than", "in place of"),
    comparatives="rather better prefer more other",
    than="than",
    persons="wife husband partner girlfriend boyfriend fiance fiancee friend son daughter mother mum mom father dad brother sister child kid "
    "baby toddler infant grandson granddaughter grandmother grandfather grandma grandpa granny boss colleague client customer "
    "friends sons daughters children kids babies brothers sisters grandchildren grandkids grandkid nan nana nanna gran hubby missus colleagues clients girls boys teenagers adults "
    "aunt uncle cousin nephew niece boy girl mate",
    pairs="parents grandparents twins folks inlaws",
    selves="i me myself",
    links="and plus with my our the his her little small two-year-old young one-year-old old both in laws of as well also",
    alphabet="alfa alpha bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike november oscar papa quebec "
    "romeo sierra tango uniform victor whiskey xray yankee zulu",
    greetings="hiya howdy howaya hullo hello hi hey good morning afternoon evening yes yeah sure okay ok",
    triple=("triple", "treble"),
    endings=("s", "es"),
    until="to until till through thru leaving leave departing",
    joins="then and dash hyphen minus space followed",
    letters={"zed": "z", "zee": "z"},
    vague="some any something anything it that this them more room everything nothing someone",
)
GERMAN: Final = Vocabulary(
    sounds={"eins a": "ja", "mhm": "ja", "mm hm": "ja", "aha": "ja", "m m": "nein"},
    classes={
        "we": "wir sind|sind wir|wir wären|wären wir|wir kommen [zu]|kommen wir [zu]|wir werden|es sind|es wären|das sind|das wären|"
        "wir sind jetzt|wir sind doch|sind wir dann|macht",
        "day": "montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag|heute|morgen|übermorgen|wochenende",
        "want": "einbuchen|vereinbaren|ausmachen|fixieren|freihalten|gebrauchen|vormerken|unterbringen|eintragen|möchte|möchten|will|wollen|wollte|wollten|dachten|überlegt|vorhaben|wäre schön|wäre nett|würde|würden|hätte|hätten|brauche|brauchen|bräuchte|bräuchten|suche|suchen|"
        "benötige|benötigen|gern|gerne|buchen|buche|reservieren|reserviere|bestellen|bekommen|bekomme|kriegen|kriege|haben|hat|frei|"
        "verfügbar|noch|interessiere|gönnen|machen|mieten|nehmen|nehme|wünsche|ginge",
        "change": "ändern|geändert|legen|umlegen|von ... auf|verschieben|verlegen|vorverlegen|umbuchen|verlängern|verkürzen|anpassen|tauschen|später|früher|"
        "stattdessen|nach hinten|nach vorne|anderen tag|andere uhrzeit|umändern|abändern",
        "cancel": "stornieren|storniere|nicht mehr|doch nicht|zerschlagen|(schaffen|schaffe) es ... nicht|nicht gebraucht|absagen|abbestellen|canceln|rückgängig|streichen|können (leider|doch) nicht|"
        "(können|kann) ... nicht (kommen|anreisen)|klappt (leider|doch) nicht|dazwischengekommen|dazwischen gekommen|wird nichts",
        "booking": "reservierung|reservierungen|buchung|reserviert|gebucht|aufenthalt|bestellt",
        "bring": "bringen|schicken|bestellen|hochbringen|raufbringen|liefern|besorgen|vorbeibringen|hochschicken",
        "goods": "handtuch*|handtüch*|badetuch*|badetüch*|kissen|kopfkissen|decke|decken|wolldecke*|bettdecke*|seife*|shampoo*|duschgel|"
        "zahnbürste*|zahnpasta|toilettenpapier|klopapier|bademantel|bademäntel|hausschuhe|bügeleisen|föhn|wasserkocher|kleiderbügel|"
        "eiswürfel|wasser|kaffee|tee|sandwich*|clubsandwich|flasche|flaschen|burger|salat|wein|bier|sekt|champagner|gläser|babybett|kinderbett",
        "past": "gestern|vorgestern|letzte woche|letzten monat|letztes mal|letztes jahr|neulich|bereits|schon",
        "done": "(schon|bereits) ... (reserviert|gebucht|bestellt)|(hat|haben) ... (reserviert|gebucht|bestellt)|(frau|mann|freund|"
        "freundin|kollege|kollegin) ... (reserviert|gebucht|bestellt)",
    },
    rejections=("statt", "anstatt", "anstelle", "statt um", "statt am", "und nicht"),
    comparatives="lieber besser eher früher später mehr",
    than="als",
    persons="enkelkind enkelkinder frau mann partner partnerin freund freundin verlobte verlobter sohn tochter mutter mama vater papa bruder schwester kind kleine "
    "kleiner kleinen baby kleinkind enkel enkelin oma opa großmutter großvater chef chefin kollege kollegin kunde kundin "
    "freunde freundinnen söhne töchter kinder kinder babys brüder geschwister kollegen kunden jungs mädchen erwachsene junge tante onkel "
    "schwiegermutter schwiegervater",
    pairs="eltern großeltern schwiegereltern zwillinge",
    selves="ich mich mir",
    links="und plus mit meine mein meiner meinen meinem unsere unser unserer unseren unserem der die das den dem noch auch sowie kleine "
    "kleiner kleines zweijährige zweijähriger beide beiden sogar",
    alphabet="anton berta cäsar dora emil friedrich gustav heinrich ida julius kaufmann konrad ludwig martha nordpol otto paula "
    "quelle richard samuel siegfried theodor ulrich viktor wilhelm xanthippe zacharias aachen berlin chemnitz düsseldorf "
    "essen frankfurt goslar hamburg ingelheim jena köln leipzig münchen nürnberg offenbach potsdam quickborn rostock "
    "salzwedel tübingen unna völklingen wuppertal xanten zwickau",
    greetings="hallöchen tach mahlzeit hallo guten tag morgen abend grüß gott grüezi moin servus ja gern okay",
    triple=("dreimal",),
    endings=("e", "en", "n", "s", "er"),
    until="bis auf abreise",
    joins="dann und strich bindestrich minus danach",
    letters={"ypsilon": "y", "vau": "v", "jot": "j"},
    vague="etwas was mehr es das dies sie irgendwas alles nichts jemand",
)
SPANISH: Final = Vocabulary(
    sounds={"doble u": "w", "doble uve": "w", "uve doble": "w", "ajá": "sí", "aja": "sí", "mhm": "sí", "mm hm": "sí"},
    classes={
        "we": "somos|seremos|seríamos|estaremos|vamos a ser|vamos|iremos|iríamos|vendremos|venimos|serían|serán|son|sería para|sería|será para",
        "day": "lunes|martes|miércoles|jueves|viernes|sábado|domingo|hoy|mañana|esta noche|fin de semana",
        "want": "agendar|agendarme|agendarnos|agende|agéndeme|separar|separarme|separarnos|separe|sepáreme|regala|regalar|regálame|regáleme|colabora|colaborar|ayudar|provoca|me ayuda|deseo|deseamos|desearía|apunta|apuntar|apuntarnos|anotar|caben|cabemos|harían falta|hacen falta|quiero|queremos|pensado|pensábamos|pensaba|pensamos|íbamos a|iba a|quería|queríamos|quisiera|quisiéramos|querría|querríamos|necesito|necesitamos|necesitaba|busco|buscamos|"
        "gustaría|encantaría|apetece|reservar|reservarme|apartar|apartarme|pedir|hacer|hacerme|tener|coger|alquilar|conseguir|tienen|"
        "tendrían|tendrán|hay|habría|habrá|queda|quedan|les queda|les quedan|libre|libres|disponible|disponibles|disponibilidad|puede darme|"
        "me pueden dar|me podrían dar|me puede dar|póngame|deme|resérveme|apúnteme|me da|me interesa|sería posible|es posible|haría falta|"
        "hace falta",
        "change": "cambiar|pasar|pasarla|cambiarla|cambiarlo|cambio|modificar|modificarla|mover|moverla|aplazar|aplazarla|atrasar|atrasarla|adelantar|"
        "adelantarla|retrasar|retrasarla|posponer|posponerla|alargar|alargarla|ampliar|ampliarla|acortar|otro día|otra fecha|"
        "otra hora|en vez|en lugar",
        "cancel": "cancelar|no voy|no vamos|no llegamos|no iremos|no iré|cancelarla|ya no|cambiado de planes|cambio de planes|cancelarlo|anular|anularla|anularlo|dar de baja|quitar|no vamos a poder|no voy a poder|no podemos ir|"
        "no puedo ir|no podremos|no podré|imprevisto",
        "booking": "reserva|reservas|reservado|reservada|reservación|estancia|reservamos|reservé",
        "bring": "suben|sube|traen|trae|tráiganos|súbanos|traer|traerme|traernos|traigan|tráiganme|tráigame|subir|subirme|subirnos|suban|súbanme|mandar|mandarme|manden|enviar|"
        "envíen|llevar|lleven",
        "goods": "toalla*|almohada*|manta*|edredón|jabón|champú|gel|cepillo|pasta de dientes|papel higiénico|albornoz|zapatillas|plancha|"
        "secador|hervidor|perchas|hielo|agua|café|té|botella*|bocadillo*|sándwich*|hamburguesa*|ensalada*|vino|cerveza*|champán|copas|"
        "vasos|cuna",
        "past": "ayer|anoche|anteayer|la semana pasada|el mes pasado|la última vez|el año pasado|el otro día|ya",
        "done": "ya (reservó|reservé|reservamos|reservaron|hizo|hice|tenemos|tengo)|ya (ha|he|hemos|han) (reservado|hecho)|(mujer|marido|"
        "esposa|esposo|amigo|amiga|compañero) [ya] (reservó|ha reservado|hizo)",
    },
    rejections=("en vez de", "en vez del", "en lugar de", "en lugar del", "y no"),
    comparatives="mejor antes más prefiero preferiría",
    than="que",
    persons="mujer marido esposa esposo pareja novia novio amigo amiga hijo hija madre mamá padre papá hermano hermana niño niña bebé nieto nieta "
    "abuela abuelo jefe jefa compañero compañera cliente clienta amigos amigas hijos hijas hermanos hermanas niños niñas bebés nietos "
    "compañeros clientes adultos mayores peque pequeño pequeña chico chica chicos chicas suegra suegro cuñado cuñada tía tío primo prima",
    pairs="padres abuelos suegros gemelos mellizos",
    selves="yo",
    links="y más con mi mis nuestro nuestra nuestros nuestras el la los las para también además e pequeño pequeña",
    alphabet="antonio barcelona carmen dolores enrique francia gerona historia inés josé kilo lorenzo madrid navarra oviedo parís "
    "querido ramón sevilla tarragona ulises valencia washington yegua zaragoza",
    greetings="aló hola buenos buenas días tardes noches sí claro bueno vale",
    triple=("triple",),
    endings=("s", "es"),
    until="al a hasta salida",
    joins="luego guion guión después espacio",
    letters={
        "efe": "f",
        "hache": "h",
        "jota": "j",
        "ka": "k",
        "ele": "l",
        "eme": "m",
        "ene": "n",
        "erre": "r",
        "ese": "s",
        "uve": "v",
        "equis": "x",
        "zeta": "z",
        "be": "b",
        "ce": "c",
        "ge": "g",
        "pe": "p",
        "te": "t",
        "cu": "q",
    },
    vague="algo esto más eso lo la todo nada alguien",
)
FRENCH: Final = Vocabulary(
    sounds={"cent pour cent": "oui", "double v": "w", "mmh": "oui", "mhm": "oui", "mm hm": "oui", "hum hum": "oui"},
    classes={
        "we": "nous sommes|nous serons|nous serions|on est|on sera|on serait|on va être|nous serons|ça fait|ce sera pour|ce serait pour|"
        "on viendra [à]|on vient [à]|nous viendrons [à]",
        "day": "lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|aujourd'hui|demain|ce soir|ce midi|week-end",
        "want": "retenir|bloquer|booker|céduler|fixer|désire|désirons|désirerais|retenez|bloquez|noter|notez|inscrire|voudrais|voudrait|voudrions|pensait|pensais|pensions|comptait|comptais|pourrait avoir|pourrions avoir|veux|veut|voulons|voulais|voulait|aimerais|aimerait|aimerions|souhaite|souhaiterais|souhaiterait|"
        "souhaitons|faudrait|faut|besoin|cherche|cherchons|réserver|réservation|prendre|prendrai|avoir|auriez|aurait|avez|reste|resterait|"
        "libre|libres|disponible|disponibles|disponibilité|disponibilités|caser|trouver|mettez|mettre|donner|donnez|possible|envie|louer|"
        "commander|offrir",
        "change": "changer|passer|basculer|changement|modifier|modification|déplacer|décaler|avancer|reculer|repousser|reporter|prolonger|raccourcir|"
        "rallonger|autre jour|autre date|autre heure|au lieu|échanger",
        "cancel": "annuler|viens pas|venons pas|viens plus|viendrai pas|plus besoin|changé de programme|changé de plans|annule|annulez|annulation|décommander|empêchement|imprévu|peut pas venir|pouvons pas venir|peux pas venir|ne vient plus|viendra pas|viendrons pas|pourrons pas|pourrai pas|pourra pas|pouvons plus|"
        "peux plus|peut plus",
        "booking": "pris une (chambre|table)|réservation|réservations|réservé|réservée|séjour",
        "bring": "apporter|apportez|monter|montez|livrer|envoyer|envoyez|amener|ramener|faire monter|porter",
        "goods": "serviette*|oreiller*|couverture*|couette|savon|shampoing|shampooing|gel douche|brosse à dents|dentifrice|papier toilette|"
        "peignoir*|chaussons|fer à repasser|sèche cheveux|bouilloire|cintres|glaçons|eau|café|thé|bouteille*|sandwich*|burger*|salade*|vin|bière*|"
        "champagne|verres|lit bébé",
        "past": "hier|avant-hier|la semaine dernière|le mois dernier|la dernière fois|l'année dernière|l'autre jour|déjà",
        "done": "déjà (réservé|pris|fait|une réservation)|(a|ai|avons|ont|avez|avait) [déjà] réservé|(femme|mari|ami|amie|collègue) [a] [déjà] "
        "réservé",
    },
    rejections=("au lieu de", "au lieu du", "au lieu d", "à la place de", "à la place du", "et non", "et pas"),
    comparatives="plutôt mieux préfère préférerais préférerait",
    than="que",
    persons="femme mari compagne compagnon conjoint conjointe copine copain amie ami fils fille mère maman père papa frère sœur enfant bébé petit "
    "petite petit-fils mamie papy grand-mère chef collègue client cliente amis amies fils filles frères sœurs enfants bébés petits collègues "
    "clients adultes ado ados garçon garçons tante oncle cousin cousine",
    pairs="parents grands-parents beaux-parents jumeaux",
    selves="moi je",
    links="et plus avec ma mon mes notre nos le la les aussi pour également puis petit petite",
    alphabet="anatole berthe célestin désiré eugène françois gaston henri irma joseph kléber louis marcel nicolas oscar pierre "
    "quintal raoul suzanne thérèse ursule victor william xavier yvonne zoé",
    greetings="coucou bonjour bonsoir allô oui bien alors",
    triple=("triple",),
    endings=("s", "x"),
    until="au à jusqu jusque départ",
    joins="puis et tiret ensuite espace",
    vague="encore des du quelque ça cela tout rien quelqu ce",
)
