"""The messages of functional.md section 9 that accounts show. Codes are those of the catalogue."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

from ..web.typography import french

MESSAGES = {
    "M01-sms": "Nous ne connaissons pas ce numéro pour vous. Vérifiez vos réponses. Si votre numéro a changé, dites-le à l'école.",
    "M01-mail": "Nous ne connaissons pas cette adresse mail pour vous. Vérifiez vos réponses. Si elle a changé, dites-le à l'école.",
    "M01c": "Si nous vous connaissons, vous allez recevoir un code. Rien ne vient ? Vérifiez vos réponses ou demandez à l'école.",
    "M01-doubt": "L'école connaît plusieurs personnes à votre nom. Elle seule peut vous donner un compte : demandez-lui de l'aide.",
    "M01-again": "Vous avez commencé dans une autre fenêtre. Recommencez ici, ou continuez là-bas.",
    "M02": "Ce code est trop vieux. Demandez un nouveau code.",
    "M03": "Ce code n'est pas le bon. Vérifiez les chiffres.",
    "M03-over": "Ce code ne marche plus après autant d'essais. Demandez un nouveau code.",
    "M04": "Cette date de naissance n'est pas la bonne. Si vous la pensez juste, demandez à l'école de la corriger.",
    "M04-enough": "Vous pouvez continuer.",
    "M04b": "Cette date de naissance n'est pas la bonne. Essayez encore.",
    "M04-both": "Vous avez donné une date et coché la case. Gardez seulement l'un des deux.",
    "M05": "Aucune date de naissance n'est la bonne. Votre compte n'est pas activé. Demandez de l'aide à l'école.",
    "M05-refused": "Vous avez dit que vous n'êtes responsable d'aucun de ces élèves. Si c'est une erreur, demandez à l'école.",
    "M07": "L'identifiant ou le mot de passe n'est pas bon.",
    "M07-current": "Le mot de passe actuel n'est pas bon.",
    "M10": "Si ces réponses sont les bonnes, vous allez recevoir un mail.",
    "M10-sms": "Si ces réponses sont les bonnes, vous allez recevoir un SMS.",
    "M11": "Pas de mail ? Vérifiez vos réponses. Votre compte n'a peut-être pas d'adresse mail : demandez alors à l'école.",
    "M12": "Ce mot de passe provisoire ne marche plus : il était valable {duration}. Demandez-en un autre à votre établissement.",
    "M13": "Trop d'essais. Attendez {wait}, puis recommencez.",
    "M13-day": "Trop d'essais pour aujourd'hui. Demandez de l'aide à votre établissement.",
    "M14": "Vous devez choisir un nouveau mot de passe.",
    "M15": "Un compte par parent !",
    "M19": "Bravo ! Votre compte est prêt.",
    "M20-LEGAL": "Je ne suis pas responsable de cet élève.",
    "M20-IN_CHARGE": "Je n'ai pas cet élève à ma charge.",
    "M21": "Votre nouveau mot de passe est enregistré.",
    "M24": "Votre compte est bloqué par sécurité. Contactez l'école.",
    "M25": "Il n'y a plus d'élève sur votre compte. Si c'est une erreur, contactez l'école.",
    "M26": "Votre compte est fermé. Si c'est une erreur, contactez votre établissement.",
    "M29-adult": "Donnez votre adresse mail.",
    "M29-child": "Donnez l'adresse mail d'un de vos responsables.",
    "M31": "Vous avez déjà un compte. Cliquez sur « Identifiant oublié ».",
    "M32-short": "Il faut {n} caractères ou plus.",
    "M32-long": "Il faut {n} caractères ou moins.",
    "M32-easy": "Trop facile à deviner.",
    "M32-personal": "N'utilisez pas votre nom, votre date de naissance ou votre école.",
    "M32-common": "Trop de gens utilisent ce mot de passe.",
    "M32-paper": "Choisissez un autre mot de passe que celui du papier.",
    "M32-same": "Choisissez un mot de passe différent de l'ancien.",
    "M32-different": "Les deux mots de passe sont différents.",
}


def message(code: str, **values: object) -> str:
    """The text of one code with its values filled in."""
    return french(MESSAGES[code].format(**values))


def minutes(delay: timedelta) -> str:
    """A wait in words, rounded up: ``1 minute``, ``15 minutes``."""
    n = max(1, ceil(delay.total_seconds() / 60))
    return f"{n} minute" if n == 1 else f"{n} minutes"


def too_early(until: datetime, *, now: datetime) -> str:
    """M13, with the wait that is left."""
    return message("M13", wait=minutes(until - now))


def tries_left(n: int) -> str:
    """How many tries remain, as a sentence."""
    return f"Il reste {n} essai." if n == 1 else f"Il reste {n} essais."


def hours(delay: timedelta) -> str:
    """A life in words: ``24 heures``, ``30 minutes``."""
    whole, rest = divmod(int(delay.total_seconds()), 3600)
    if rest:
        return minutes(delay)
    return f"{whole} heure" if whole == 1 else f"{whole} heures"
