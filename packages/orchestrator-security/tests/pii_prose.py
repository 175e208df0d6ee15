"""German, French and Spanish prose in which nothing is personal, for the count of false spans.

Written for this test, under the licence of the project. The sentences are those of guide books, timetables, price lists, reports and statutes, because their
numbers (years, prices, distances, quantities, times, paragraphs, versions) are what a detector may take for somebody's.
"""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["LANGUAGES", "prose"]

_GERMAN = """\
Das Haus wurde {year} am Ufer des Sees errichtet und nach dem Brand von {year} in nur {n} Monaten wieder aufgebaut.
Frühstück gibt es von {time} bis {time} Uhr im Wintergarten, am Wochenende eine halbe Stunde länger.
Die Nacht im Doppelzimmer kostet {price} Euro, das Zustellbett {price} Euro und der Stellplatz in der Garage {price} Euro.
Vom Bahnhof sind es {km} Kilometer; der Bus der Linie {n} fährt alle {n} Minuten, zuletzt um {time} Uhr.
Nach Paragraf {n} Absatz {d} des Gesetzes beträgt die Frist {n} Tage, es sei denn, die Parteien haben etwas anderes vereinbart.
Zwischen {year} und {year} stieg die Zahl der Übernachtungen von {big} auf {big}, also um {percent} Prozent.
Wer {n} Gäste oder mehr erwartet, reserviert den Saal am besten {n} Wochen im Voraus.
Der Turm ist {n} Meter hoch, hat {big} Stufen und wird seit dem {date} von einem Verein gepflegt.
Die Ausstellung zeigt {big} Stücke aus {n} Ländern, darunter eine Karte im Maßstab 1:{big}.
Bei {n} Grad und Regen wurde der Lauf über {km} Kilometer nach {time} Stunden abgebrochen.
Im Schnitt warteten Anrufer {percent} Sekunden, bevor jemand abhob; im Vorjahr waren es noch {n}.
Die Heizung braucht rund {big} Kilowattstunden im Jahr, die neue Anlage spart davon {percent} Prozent.
Auf Seite {n} steht, dass die zweite Auflage {year} in {big} Exemplaren gedruckt wurde.
Das Rezept reicht für {d} Personen: {n} Gramm Mehl, {d} Eier und {n} Milliliter Milch.
Der Pass über die Berge ist von November bis Mai gesperrt, und der Umweg kostet {n} Minuten.
Die Karte des Restaurants wechselt alle {d} Wochen, das Menü mit vier Gängen kostet {price} Euro.
Die Steuer auf Übernachtungen beträgt {percent} Prozent und wird an der Rezeption bezahlt.
Für den Ausweis der Bibliothek zahlt man {price} Euro im Jahr, Studierende die Hälfte.
Geboren wurde die Idee in einer Küche, und {year} stand das erste Lokal.
Das Telefon im Zimmer dient nur für Anrufe im Haus, und die Rezeption hat die Neun.
Version {version} ersetzt {version}; wer noch {version} benutzt, liest bitte zuerst den Abschnitt über Umstellungen.
In Halle {d} stehen die Stände {n} bis {n}, der Eingang liegt an der Westseite.
Am {date} um {time} Uhr beginnt die Führung durch den Garten, sie dauert {n} Minuten.
Die Nummer {n} auf der Speisekarte ist eine Suppe aus Kürbis und Ingwer.
"""
_FRENCH = """\
La maison fut construite en {year} au bord du lac, puis relevée en {n} mois après l'incendie de {year}.
Le petit déjeuner est servi de {time} à {time} dans le jardin d'hiver, une demi-heure de plus le week-end.
La nuit en chambre double coûte {price} euros, le lit d'appoint {price} euros et la place au garage {price} euros.
La gare est à {km} kilomètres ; le bus de la ligne {n} passe toutes les {n} minutes, le dernier à {time}.
Selon l'article {n}, alinéa {d}, de la loi, le délai est de {n} jours, sauf si les parties en ont convenu autrement.
Entre {year} et {year}, le nombre de nuitées est passé de {big} à {big}, soit une hausse de {percent} pour cent.
Pour {n} convives ou davantage, mieux vaut réserver la salle {n} semaines à l'avance.
La tour mesure {n} mètres, compte {big} marches et une association l'entretient depuis le {date}.
L'exposition présente {big} pièces venues de {n} pays, dont une carte à l'échelle de 1:{big}.
Par {n} degrés et sous la pluie, la course de {km} kilomètres fut arrêtée au bout de {time} heures.
En moyenne, ceux qui appelaient attendaient {percent} secondes avant qu'on décroche, contre {n} l'année d'avant.
Le chauffage consomme environ {big} kilowattheures par an ; la nouvelle installation en économise {percent} pour cent.
À la page {n}, on lit que la deuxième édition, en {year}, fut tirée à {big} exemplaires.
La recette suffit pour {d} personnes : {n} grammes de farine, {d} œufs et {n} millilitres de lait.
Le col est fermé de novembre à mai, et le détour prend {n} minutes.
La carte du restaurant change toutes les {d} semaines ; le menu en quatre services coûte {price} euros.
La taxe de séjour s'élève à {percent} pour cent et se paie à la réception.
L'abonnement à la bibliothèque coûte {price} euros par an, moitié prix pour les étudiants.
L'idée est née dans une cuisine, et le premier café ouvrit en {year}.
Le téléphone de la chambre ne sert qu'à appeler dans la maison ; la réception a le neuf.
La version {version} remplace la {version} ; qui se sert encore de la {version} lira d'abord la partie sur le passage.
Dans le hall {d} se trouvent les stands {n} à {n}, et l'entrée est du côté ouest.
La visite du jardin commence le {date} à {time} et dure {n} minutes.
Le numéro {n} de la carte est une soupe de courge au gingembre.
"""
_SPANISH = """\
La casa se construyó en {year} a orillas del lago y, tras el incendio de {year}, se levantó de nuevo en {n} meses.
El desayuno se sirve de {time} a {time} en el invernadero, y media hora más los fines de semana.
La noche en habitación doble cuesta {price} euros, la cama supletoria {price} euros y la plaza de garaje {price} euros.
La estación está a {km} kilómetros; el autobús de la línea {n} pasa cada {n} minutos, el último a las {time}.
Según el artículo {n}, apartado {d}, de la ley, el plazo es de {n} días, salvo que las partes acuerden otra cosa.
Entre {year} y {year} las pernoctaciones pasaron de {big} a {big}, es decir, crecieron un {percent} por ciento.
Si son {n} comensales o más, conviene reservar la sala con {n} semanas de antelación.
La torre mide {n} metros, tiene {big} escalones y desde el {date} la cuida una asociación.
La exposición reúne {big} piezas de {n} países, entre ellas un mapa a escala 1:{big}.
Con {n} grados y lluvia, la carrera de {km} kilómetros se suspendió a las {time} horas.
De media, quien llamaba esperaba {percent} segundos hasta que alguien descolgaba; el año anterior eran {n}.
La calefacción gasta unos {big} kilovatios hora al año, y la nueva instalación ahorra el {percent} por ciento.
En la página {n} se lee que la segunda edición, de {year}, fue de {big} ejemplares.
La receta es para {d} personas: {n} gramos de harina, {d} huevos y {n} mililitros de leche.
El puerto está cerrado de noviembre a mayo, y el rodeo lleva {n} minutos.
La carta del restaurante cambia cada {d} semanas; el menú de cuatro platos cuesta {price} euros.
La tasa turística es del {percent} por ciento y se paga en la recepción.
El carné de la biblioteca cuesta {price} euros al año, la mitad para estudiantes.
La idea nació en una cocina, y el primer local abrió en {year}.
El teléfono de la habitación solo sirve para llamar dentro de la casa; la recepción es el nueve.
La versión {version} sustituye a la {version}; quien use todavía la {version} debe leer antes la parte sobre los cambios.
En el pabellón {d} están los puestos {n} a {n}, y la entrada queda al oeste.
La visita al jardín empieza el {date} a las {time} y dura {n} minutos.
El número {n} de la carta es una sopa de calabaza con jengibre.
"""
LANGUAGES = {"de": _GERMAN, "es": _SPANISH, "fr": _FRENCH}


def _number(dice: random.Random, language: str) -> str:
    """A large number as the language groups it."""
    mark = {"de": ".", "es": ".", "fr": "\u202f"}[language]
    return f"{dice.randint(1_000, 9_999_999):,}".replace(",", dice.choice((mark, mark, " ")))


def prose(language: str, characters: int, seed: int = 1) -> str:
    """So many characters of the language, or a few more; the same for the same seed."""
    dice, sentences, lines, length = random.Random(seed), LANGUAGES[language].splitlines(), list[str](), 0
    fill: dict[str, Callable[[], str]] = {
        "year": lambda: str(dice.randint(1450, 2026)),
        "n": lambda: str(dice.randint(2, 999)),
        "d": lambda: str(dice.randint(2, 9)),
        "big": lambda: _number(dice, language),
        "percent": lambda: f"{dice.uniform(0.1, 99):.1f}".replace(".", ","),
        "price": lambda: dice.choice((f"{dice.randint(2, 999)}", f"{dice.randint(2, 999)},{dice.randint(0, 99):02}")),
        "km": lambda: f"{dice.randint(1, 99)},{dice.randint(1, 9)}",
        "time": lambda: (
            f"{dice.randint(0, 23)}{dice.choice((':', '.', 'h' if language == 'fr' else ':'))}{dice.randint(0, 59):02}"
        ),
        "date": lambda: dice.choice(
            (
                f"{dice.randint(1, 28)}.{dice.randint(1, 12)}.{dice.randint(1990, 2026)}",
                f"{dice.randint(1, 28)}/{dice.randint(1, 12)}/{dice.randint(1990, 2026)}",
            )
        ),
        "version": lambda: f"{dice.randint(1, 19)}.{dice.randint(0, 39)}.{dice.randint(0, 9)}",
    }
    while length < characters:
        line = dice.choice(sentences)
        for name, value in fill.items():
            while f"{{{name}}}" in line:
                line = line.replace(f"{{{name}}}", value(), 1)
        lines.append(line)
        length += len(line) + 1
    return "\n".join(lines)
