"""The error catalogue: code, HTTP status, what happened, who can act. The reference page is generated from it."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l


@dataclass(frozen=True, slots=True)
class Action:
    """A button that leads on from an error."""

    label: LazyString
    endpoint: str


@dataclass(frozen=True, slots=True)
class ErrorText:
    """One error as people read it."""

    code: str
    status: int
    title: LazyString
    what: LazyString
    """What happened, in words of everybody."""
    act: LazyString
    """What the reader can do, or who can."""
    action: Action | None = None


def _catalogue(*entries: ErrorText) -> dict[str, ErrorText]:
    return {entry.code: entry for entry in entries}


_SERVICE = _l("Retournez sur le service et recommencez. Si cela continue, donnez le numéro ci-dessous à l'assistance du service.")

ERRORS = _catalogue(
    ErrorText("not_found", 404, _l("Page introuvable"), _l("Cette page n'existe pas."), _l("Vérifiez l'adresse, ou revenez à l'accueil.")),
    ErrorText(
        "not_allowed",
        403,
        _l("Page réservée"),
        _l("Votre rôle dans cet établissement n'ouvre pas cette page."),
        _l("Revenez au choix de l'établissement. Si c'est une erreur, voyez avec le chef d'établissement."),
        Action(_l("Choisir un établissement"), "school.choose"),
    ),
    ErrorText(
        "bad_request",
        400,
        _l("Demande incomprise"),
        _l("Nous n'avons pas compris cette demande."),
        _l("Revenez en arrière et recommencez."),
    ),
    ErrorText("too_large", 413, _l("Demande trop grande"), _l("Cette demande est trop grande."), _SERVICE),
    ErrorText(
        "csrf",
        400,
        _l("La page a expiré"),
        _l("Cette page ne peut plus servir. Elle est restée ouverte trop longtemps, ou une autre fenêtre l'a remplacée."),
        _l("Choisissez « Recommencer ». Si cela revient, autorisez les cookies de ce site dans votre navigateur."),
    ),
    ErrorText(
        "internal",
        500,
        _l("Un problème est survenu"),
        _l("Le problème vient de chez nous."),
        _l("Réessayez plus tard. Si cela continue, donnez le numéro ci-dessous à l'assistance."),
    ),
    ErrorText(
        "try_later",
        503,
        _l("Réessayez plus tard"),
        _l("Le site ne peut pas répondre en ce moment."),
        _l("Réessayez dans quelques minutes. Vous n'avez rien fait de mal."),
    ),
    ErrorText(
        "directory_unavailable",
        503,
        _l("Réessayez plus tard"),
        _l("Nous n'arrivons pas à lire les données de l'école en ce moment."),
        _l("Réessayez dans quelques minutes. Vous n'avez rien fait de mal."),
    ),
    ErrorText("unknown_issuer", 403, _l("Service inconnu"), _l("Le service qui vous envoie n'est pas connu ici."), _SERVICE),
    ErrorText("service_disabled", 403, _l("Service fermé"), _l("Ce service n'est pas ouvert en ce moment."), _SERVICE),
    ErrorText(
        "unknown_acs",
        403,
        _l("Adresse de retour inconnue"),
        _l("Le service demande un retour vers une adresse que nous ne connaissons pas."),
        _SERVICE,
    ),
    ErrorText(
        "bad_signature",
        403,
        _l("Demande non signée correctement"),
        _l("Nous ne pouvons pas vérifier que cette demande vient bien du service."),
        _SERVICE,
    ),
    ErrorText(
        "signature_required", 403, _l("Demande non signée"), _l("Ce service doit signer ses demandes, et celle-ci ne l'est pas."), _SERVICE
    ),
    ErrorText("malformed_message", 400, _l("Demande illisible"), _l("La demande du service est illisible."), _SERVICE),
    ErrorText(
        "replayed_message",
        400,
        _l("Demande déjà utilisée"),
        _l("Cette demande a déjà servi."),
        _l("Retournez sur le service et connectez-vous de nouveau."),
    ),
    ErrorText(
        "signon_lost",
        400,
        _l("Connexion interrompue"),
        _l("Votre connexion au service a été interrompue ou a duré trop longtemps."),
        _l("Retournez sur le service et connectez-vous de nouveau."),
    ),
    ErrorText(
        "profile_refused",
        403,
        _l("Ce service n'est pas pour ce profil"),
        _l("Ce service n'accepte pas votre profil."),
        _l("Retournez sur le service. Rien ne lui a été envoyé sur vous."),
    ),
    ErrorText("account_suspended", 403, _l("Compte bloqué"), _l("Votre compte est bloqué par sécurité."), _l("Contactez l'école.")),
    ErrorText(
        "account_closed", 403, _l("Compte fermé"), _l("Votre compte est fermé."), _l("Si c'est une erreur, contactez votre établissement.")
    ),
    ErrorText(
        "no_student",
        403,
        _l("Aucun élève sur ce compte"),
        _l("Il n'y a plus d'élève sur votre compte."),
        _l("Si c'est une erreur, contactez l'école."),
    ),
    ErrorText(
        "logout_refused",
        400,
        _l("Déconnexion refusée"),
        _l("Nous n'avons pas pu vous déconnecter à la demande de ce service."),
        _l("Déconnectez-vous ici, ou fermez toutes les fenêtres du navigateur."),
        Action(_l("Se déconnecter"), "logout.confirm"),
    ),
    ErrorText(
        "link_expired",
        410,
        _l("Ce lien ne marche plus"),
        _l("Ce lien a déjà servi, ou il est trop vieux."),
        _l("Si vous avez reçu plusieurs mails, ouvrez le dernier. Si vous avez déjà confirmé, connectez-vous."),
        Action(_l("Se connecter"), "login.profile"),
    ),
)
"""Every code that a page or :class:`hub.saml.messages.MessageRefused` may carry."""
