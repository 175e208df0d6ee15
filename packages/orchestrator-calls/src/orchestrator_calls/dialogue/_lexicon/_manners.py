"""What surrounds the values of a sentence, per language: questions about the house, introductions, asides, amounts."""

from __future__ import annotations

from typing import Final

from orchestrator_calls.dialogue._lexicon._model import Manners

__all__ = ["ENGLISH", "FRENCH", "GERMAN", "SPANISH"]

ENGLISH: Final = Manners(
    rules_asked=(
        "(is|are|does|do) ... (included|complimentary|inclusive|include)",
        "(possible|can|could|may) ... (eat|dine|dinner|lunch|supper) in (the|our|my) (room|rooms|suite)",
        "(allow|allowed|allows|permitted|forbidden|obligatory|compulsory|mandatory|welcome)",
        (
            "(do|does|must|should|can|could|may|would|is it|are) (i|we|one|you|they|people|guests|men|everyone|it|my|our) ... (wear|dress|tie|ties|jacket|"
            "jackets|trainers|sneakers|shorts|jeans|suit|dog|dogs|pet|pets|cat|puppy|smoke|smoking|vape|pushchair|pram|stroller|wheelchair|"
            "high chair|high chairs|gluten|vegan|halal|kosher|vegetarian|card|cards|cash|corkage|own wine|own cake)"
        ),
        "(is|are) there ... (dress code|wheelchair|step|steps|lift|high chair|high chairs|children s menu|kids menu|vegan|vegetarian|gluten|corkage)",
        (
            "(is|are) ... (dog|dogs|pet|pets|tie|ties|jacket|jackets|shorts|jeans|trainers|sneakers|smoking|wheelchair|children|kids) ... (ok|okay|fine|required|needed|friendly|"
            "necessary|all right|alright|accessible|expected|in|a problem)"
        ),
        "(dress code|dog friendly|pet friendly|child friendly|kid friendly|wheelchair accessible)",
        "(take|accept|serve|cater for|mind) ... (dogs|pets|cards|amex|cash|vouchers|vegan|vegetarian|vegans|vegetarians|gluten|halal|kosher|kids|children|shorts|jeans)",
        "(do|does|can|are|is|may|must|will) (children|kids|babies|toddlers|dogs|pets|my dog|our dog|the dog|guide dogs)",
        "(do|will|would) (i|we|one|my husband|men) need [a|to] (tie|jacket|suit|dress|be dressed|dress up|wear|voucher|dinner jacket)",
        "(do|have) you (have|got|do|offer|any) ... (vegan|vegetarian|gluten|halal|kosher|high chair|high chairs|lift)",
        "(do|can|may|could) (i|we) bring (our|my|your|the) (own|dog|cat|puppy|pet)",
        "have to (wear|dress|book|reserve|pay|be)",
    ),
    reserving="book booking bookings reserve reserving reservation table tables slot",
    wanting="like want looking love hoping fancy",
    asking="know ask wondering wondered asking curious check checking find",
    nothing_wished=(
        (
            "(not|never) [even|really] [want|wanting|trying|looking|going|need|wish|here|calling|like] [to] (book|reserve|booking|reserving|order) "
            "[anything|a thing|any of that]"
        ),
        "not [want|need|make|making] [a|any] (booking|reservation) [at all|today|now|thanks|thank you]",
        "(only|just) (wanted|want|wondered|wondering|asking|curious|checking) [to] [know|ask|find out|check|see]",
        "was [only|just] (asking|wondering|curious|checking)",
    ),
    titles="mr mister mrs ms miss doctor dr professor sir lady lord captain father reverend madam",
    named_after=("my name is", "you are speaking to", "you are speaking with", "here speaks"),
    perhaps_named_after=("this is", "here is"),
    titled_after=("it is", "i am"),
    named_before=("here", "speaking", "calling", "on the line", "on the phone", "this side", "from this side"),
    naming="name surname under called",
    asides="oh ooh ah aha well right quite true so very really indeed only too also then now just there it that is of course you see me mate love dear "
    "worries bother lovely fab fabulous brilliant kind sweet nice pleasure urgent ridiculous terrible unacceptable important awful outrageous private nice regarding concerning darling sir madam maam brother pal please thanks thank you and but or all sorry hang on one second as usual always bang deffo innit",
    questions="is are do does did can could may might will would shall should have has where what when how which who why what's where's any",
    amounts="some any another more extra few couple several pair both half",
    within="of with without on in and",
    alone="",
    doubled="double",
    ands="and plus",
    serving="up over says said saying got round down asap sent send brought bring delivered deliver urgently quickly soon upstairs sometime whenever because since as if so when while before after along into onto being though tell ask let may might shall will must should be been it them they she her him his this those these want like get got ready possible here there again possibly maybe perhaps room suite",
    along="with",
    taking_back="no nope wait sorry actually rather pardon oops",
    uncounted="moment moments second seconds sec secs minute minutes min mins mo tick ticks thing things question questions bit million thumbs "
    "percent cent problem idea",
)
GERMAN: Final = Manners(
    rules_asked=(
        "(ist|sind) ... (inklusive|inbegriffen|dabei|inkludiert|enthalten|mit drin)",
        "(kann|können|darf|dürfen|möglich) ... (auf dem|im|in unserem|in meinem|auf unserem) zimmer (essen|frühstücken|speisen)",
        (
            "(erlaubt|gestattet|verboten|zugelassen|willkommen|pflicht|vorgeschrieben|vorschrift|erwünscht|dresscode|kleiderordnung|hundefreundlich|kinderfreundlich|barrierefrei|"
            "rollstuhlgerecht|krawattenzwang|krawattenpflicht)"
        ),
        "(darf|dürfen|muss|müssen|soll|sollte|kann|braucht|brauche|brauchen|könnte|sollen|können|dürfte|müsste) man",
        (
            "(darf|dürfen|muss|müssen|soll|sollte|kann|können|braucht|brauchen|brauche|nehmen|akzeptieren) (ich|wir|sie|mein|meine|meinen|unser|unsere|der|die|das|jeder) ... (krawatte|schlips|jackett|sakko|anzug|"
            "turnschuhe|turnschuhen|jeans|kurzen|hund|hunde|hündin|hündchen|katze|welpe|welpen|haustier|haustiere|rauchen|kinderwagen|rollstuhl|karte|bar|kreditkarte|allergiker|veganer|vegetarier)"
        ),
        (
            "(hund|hunde|hündin|katze|haustier|haustiere|kinderwagen|rollstuhl|turnschuhen|jeans|krawatte) ... (mitbringen|mitnehmen|dabei haben|mit rein|reinlassen|rein|hinein|"
            "dabeihaben|stören|stört|nötig|ok|okay|tragen|anziehen|kommen)"
        ),
        "(mit|ohne) ... (krawatte|schlips|jackett|jeans|turnschuhen|hund|rollstuhl|kinderwagen) ... (rein|hinein|reinkommen|essen|kommen)",
        "(dürfen|können|essen|zahlen|kosten|sind) (kinder|hunde|haustiere|babys)",
        "(mein|meine|unser|unsere|der|die) (hund|hündin|katze|welpe) (darf|mit|auch|kann)",
        "gibt es ... (kinderstuhl|hochstuhl|hochstühle|kinderstühle|kinderkarte|vegane|veganes|vegetarisches|glutenfreie|glutenfreies|aufzug|rampe|stufen)",
    ),
    reserving="reservieren reserviere buchen buche bestellen reservierung buchung tisch tische",
    wanting="möchte möchten hätte hätten brauche suche suchen will wollen wollte wollten würde würden",
    asking="wissen fragen frage",
    nothing_wished=(
        "(nichts|nicht|gar nichts|gar nicht|nix) (reservieren|buchen|bestellen)",
        "(keinen|kein|keine) (tisch|zimmer|reservierung|termin) (reservieren|buchen|bestellen|haben|machen|brauchen)",
        "(reserviere|buche|bestelle|brauche|möchte|will) (gar nichts|jetzt nichts|nichts|keinen tisch|kein zimmer)",
        "(wollte|will|wollt|möchte) [ich] [es|das] [nur|bloß|lediglich] [mal|kurz] [was|etwas] (wissen|fragen)",
        "(nur|bloß|lediglich) [mal] [so] [eine|kurz] (frage|wissen|fragen|gefragt)",
    ),
    titles="herr frau fräulein doktor dr professor prof familie firma herrn magister ingenieur pfarrer schwester",
    named_after=("hier spricht", "da spricht", "mein name ist", "ich heiße", "es spricht", "am apparat ist"),
    perhaps_named_after=("hier ist", "hier", "hier wäre"),
    titled_after=("ich bin", "da ist"),
    named_before=("hier", "am apparat", "am telefon", "mein name", "spricht", "dran"),
    naming="name namen nachname nachnamen familienname heiße auf",
    asides="nett lieb toll fein herzlichen vielen dank oh ah aha ach so ganz recht genau sehr schon eben doch auch gerne wohl freilich fei gell ne nu na nun also dann jetzt alles mal einfach so "
    "wirklich absolut vollkommen völlig das es ist und aber oder bitte danke schön super sie haben da stimmt moment bitteschön sowieso halt "
    "basst passt eh klar natürlich sicher wie immer tag richtig hören wunderbar jo nö tipptopp merci vielmal vielmals",
    questions="ist sind gibt kann können könnte könnten darf dürfen muss müssen hat haben habt wo wann wie was wer warum welche welcher welches wird werden sollte sollen nehmen bieten man",
    amounts="etwas paar noch mehr weitere weiteres weiterer einige mehrere halbe halben halbes bisschen",
    within="mit ohne von vom aus und oder",
    alone="",
    doubled="doppel doppelt doppeltes zweimal",
    ands="und sowie plus",
    serving="hoch hochbringen in im an ans bei beim dieser diese dieses diesen unter nummer hätte hätten haben bräuchte bräuchten brauchen möchte möchten wollen bringen schicken hochschicken raufbringen vorbeibringen raufschicken aufs ins zimmer sofort gleich schnell bald weil denn wenn falls damit dass liefern rauf her kommen bekommen kriegen besorgen lassen geht ginge wäre wären vielleicht möglichst sobald oben aufgebracht aufbringen mitbringen lieber hier da später bitteschön können könnten könnte würden",
    along="mit",
    taking_back="nein nee nö moment entschuldigung quatsch halt sorry pardon lieber",
    uncounted="moment momente augenblick sekunde sekunden minute minuten minütchen frage fragen dank mal prozent sache sachen",
    diminutives={"chen": ("",), "lein": ("",), "erl": ("",), "le": ("",)},
)
SPANISH: Final = Manners(
    rules_asked=(
        "(está|están|viene|incluye|incluyen) ... (incluido|incluida|incluidos|incluidas|incluye|cena|comida)",
        "(se puede|podemos|puedo|es posible) (cenar|comer|almorzar|desayunar) en (la|nuestra|mi) habitación",
        "(tienen|tiene|hay|sirven|ofrecen) ... (vegana|vegano|veganas|veganos|vegetariana|vegetarianas|vegetarianos|celíacos|celíaca|gluten|halal|kosher)",
        "(permiten|permite|permitido|permitidos|admiten|admite|dejan|prohibido|obligatorio|obligatoria|bienvenidos|aceptan|exigen)",
        (
            "(se puede|se pueden|hay que|es necesario|hace falta|se debe|es obligatorio) ... (corbata|chaqueta|traje|saco|etiqueta|elegante|tenis|zapatillas|vaqueros|jeans|"
            "pantalón corto|bermudas|perro|perros|perrito|gato|mascota|mascotas|fumar|silla de ruedas|carrito|cochecito|tarjeta|efectivo|ir|entrar|llevar|vestir|vestirse|traer|venir|pagar)"
        ),
        (
            "(puedo|podemos|puede|pueden|debo|debemos|tengo que|tenemos que|podría|podríamos) ... (perro|perra|perros|perrito|perrita|gato|mascota|mascotas|corbata|chaqueta|traje|tenis|vaqueros|"
            "bermudas|pantalón corto|fumar|silla de ruedas|carrito|cochecito|tarjeta)"
        ),
        "(tienen|tiene|hay) ... (trona|tronas|código de vestimenta|menú infantil|menú para niños|menú vegano|opciones veganas|opción vegetariana|sin gluten|rampa|ascensor|escalones)",
        "(pueden|pagan|comen|entran) [los|las] (niños|perros|bebés|mascotas)",
        "(con|sin) (perro|perros|perrito|mascota|mascotas|corbata|chaqueta|bermudas|vaqueros)",
        "(código de vestimenta|código de vestir|accesible para silla de ruedas)",
    ),
    reserving="reservar reserva apartar agendar mesa mesas reservarme apúnteme resérveme",
    wanting="quisiera quisiéramos quiero queremos quería queríamos necesito necesitamos busco buscamos gustaría",
    asking="saber preguntar consultar pregunta consulta duda",
    nothing_wished=(
        "no [es que] (quiero|queremos|quería|necesito|vengo a|voy a|deseo|pretendo|pienso) [a] (reservar|apartar|pedir) [nada|ninguna mesa|ninguna]",
        "no (reservo|reservamos|quiero reserva|quiero ninguna|es para reservar|quiero nada|necesito nada|necesito mesa|necesito reserva)",
        "(solo|sólo|nada más|nomás|únicamente|solamente) (quería|quiero|era para|era por|es para|preguntaba|preguntar) [saber|preguntar|consultar|información]",
        "era (solo|sólo) [para|por] [una] (saber|preguntar|pregunta|curiosidad)",
    ),
    titles="señor señora señorita don doña doctor doctora dr dra ingeniero ingeniera licenciado licenciada familia profesor profesora maestro",
    named_after=("le habla", "aquí habla", "le saluda", "de parte de", "me llamo", "mi nombre es", "aquí le habla"),
    perhaps_named_after=("habla", "aquí", "aquí es", "por acá", "acá", "por aquí"),
    titled_after=("soy", "le hablo"),
    named_before=("al habla", "al aparato", "al teléfono", "por aquí", "aquí", "acá", "por acá", "a la orden"),
    naming="nombre apellido apellida llamo",
    asides="amable gusto chévere bacano qué bueno rico oh ah ay uy ya pues bueno claro así mismo eso exacto ajá perdón perdone disculpe muy bien todo es está que sí señor señora señorita "
    "gracias por favor mi amor joven amigo hija hijo también entonces ahora mire oiga y o pero perfectamente tal cual desde luego como no "
    "de acuerdo super súper listo vale de verdad justo justamente precisamente",
    questions="es hay tienen tiene puedo puede pueden podemos podría podrían se dónde cuándo cómo qué cuál cuánto cuánta cuántos cuánta está están admiten aceptan hace incluye",
    amounts="otro otra otros otras más par unos unas algo poco poquito medio media algún alguna",
    within="de del con sin y e al",
    alone="solo sola sólo o a y",
    doubled="doble dos",
    ands="y e más",
    serving="habitación cuarto suite subir traer mandar enviar rápido pronto luego ahorita ahora cuando porque si lo antes posible arriba acá aquí podrían pueden podría trae traigan suban favor porfa porfis necesito quiero sea amable puedan gustaría me nos le les se",
    along="con",
    taking_back="perdón perdone espere mejor digo",
    uncounted="momento momentito momentico segundo segundos segundito minuto minutos minutito ratito cosa cosas cosita pregunta preguntas preguntita duda saludo "
    "abrazo beso besos veces vez ciento placer gusto favor consulta información",
    diminutives={
        "ito": ("o", "e", ""),
        "ita": ("a", "e", ""),
        "itos": ("os", "es"),
        "itas": ("as", "es"),
        "cito": ("", "e"),
        "cita": ("", "e"),
        "ico": ("o", "e"),
        "ica": ("a", "e"),
        "illo": ("o",),
        "illa": ("a",),
        "citas": ("es",),
        "citos": ("es",),
    },
)
FRENCH: Final = Manners(
    rules_asked=(
        "(est|sont) ... (compris|comprise|comprises|inclus|incluse|inclusive)",
        "(peut on|on peut|possible de|est-ce qu'on peut|peut-on|je peux) (dîner|manger|déjeuner|souper) (dans|en) [la|notre|ma] chambre",
        (
            "(acceptez|accepte|acceptés|acceptées|accepté|acceptée|admis|admise|admises|autorisé|autorisés|autorisée|autorisées|permis|interdit|interdits|obligatoire|obligatoires|exigé|exigée|exigez|"
            "imposez|tolérez|bienvenus)"
        ),
        (
            "(peut on|on peut|est-ce qu'on peut|est-il possible de|c'est possible de|a t on le droit|on a le droit|ai-je le droit|j'ai le droit|puis-je|est-ce que je peux|est-ce que l'on peut|"
            "je peux|pouvons-nous|est-ce que nous pouvons|on pourrait) ... (chien|chienne|chiens|toutou|chat|animal|animaux|fumer|poussette|fauteuil roulant|jean|jeans|baskets|short|shorts|cravate|bermuda|carte)"
        ),
        (
            "(faut-il|est-ce qu'il faut|qu'il faut|il faut|doit on|on doit|est-ce qu'on doit|dois-je|est-ce que je dois|devons-nous) ... (cravate|costume|veste|veston|tenue|habiller|s'habiller|"
            "habillé|habillés|robe|talons|chic|être|venir|porter|mettre|payer|avoir)"
        ),
        "(mon|notre|le|les|un|des) (chien|chienne|chiens|chat|animal|animaux|enfants|bébé) (peut|peuvent|est|sont|paient|mangent|a le droit|ont le droit)",
        "(tenue correcte|code vestimentaire|tenue de soirée|tenue exigée)",
        "(chien|chienne|chiens|toutou|chat|animal|animaux|poussette|fauteuil roulant|baskets|jean|cravate) ... (pose|poserait|gêne|gênerait|dérange|problème|possible|passe|accès)",
        "(avez vous|vous avez|y a t il|il y a|proposez vous|vous proposez|servez vous|vous servez|est-ce que vous avez) ... (chaise haute|chaises hautes|menu enfant|végan|végane|végétarien|sans gluten|halal|casher|rampe|ascenseur|marches)",
    ),
    reserving="réserver réservation table tables réserverai",
    wanting="voudrais voudrions aimerais aimerions souhaite souhaiterais cherche cherchons veux",
    asking="savoir demander question renseignement",
    nothing_wished=(
        "(réserve|réserver|réservons|réserverai) (pas|rien|plus)",
        "(veux|voulais|voulons|souhaite|cherche|vais|compte|désire|voudrais) (pas|rien|plus) [à] (réserver|commander|prendre)",
        "(veux|voulais|souhaite|prends|fais|cherche) pas [de|la|une|faire de] (réservation|table|chambre)",
        "(voulais|voulait|voulions|veux|souhaitais|voudrais) (juste|seulement|simplement) [le|vous] (savoir|demander|renseignement|renseigner)",
        "(juste|seulement|simplement) (une question|pour savoir|un renseignement|une information|pour demander)",
        "c'était (juste|seulement|simplement) (pour|une)",
    ),
    titles="monsieur madame mademoiselle docteur maître mme mlle professeur famille messieurs mesdames",
    named_after=("je m'appelle", "mon nom est", "moi c'est"),
    perhaps_named_after=("ici", "ici c'est", "de la part de"),
    titled_after=("c'est", "je suis"),
    named_before=("à l'appareil", "au téléphone", "au bout du fil", "à l'écoute", "ici"),
    naming="nom prénom appelle",
    asides="gentil gentille génial joli plaisir volontiers oh ah eh ben bah euh ouf tiens dis donc bon bien oui voilà tout fait à c'est ça est parfaitement exactement très juste absolument certainement "
    "merci beaucoup s'il vous plaît mais et ou pardon désolé désolée aussi alors maintenant cela même là madame monsieur nickel super évidemment "
    "effectivement en effet affirmatif comme toujours d'accord entendu ma foi bien sûr",
    questions="est qu que peut peux puis avez vous y a il où quand comment combien quel quelle quels quelles pourquoi faut on proposez acceptez peuvent pouvez pourrait",
    amounts="du des de encore quelques plusieurs autre autres peu plus",
    within="de d du des à au aux la le les l en avec sans et",
    alone="seul seule ou à et",
    doubled="double deux",
    ands="et plus",
    serving="chambre suite monter apporter envoyer livrer vite rapidement tout bientôt parce car quand dès si plus possible ici svp plaît merci là pouvez pourriez peut pourrait apportez montez tard me m nous serait sera fait",
    along="avec",
    taking_back="non pardon attendez plutôt enfin oups",
    uncounted="moment moments instant instants seconde secondes minute minutes mercis question questions renseignement renseignements information chose choses fois problème souci cent plaisir",
)
