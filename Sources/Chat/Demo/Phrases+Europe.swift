extension Phrases {
    static let german = Phrases(
        topics: [
            "die Steuererklärung", "der Umzug", "das Bewerbungsschreiben", "die Wärmepumpe", "der Projektplan",
            "ein Apfelkuchen",
            "die Datenbank", "das Protokoll von gestern", "die Urlaubsreise", "der Mietvertrag",
        ],
        questions: [
            "Kannst du mir bei {t} helfen?", "Wie lange dauert {t} normalerweise?", "Ich verstehe {t} nicht ganz.",
            "Schreib mir bitte {n} Sätze über {t}.", "Was fehlt noch für {t}?",
            "Gibt es einen einfacheren Weg für {t}?",
            "Wer ist eigentlich für {t} zuständig?", "Bitte fass {t} kurz zusammen.", "Reichen {n} Euro für {t}?",
            "Warum ist {t} schon wieder verschoben?",
        ],
        answers: [
            "Gern, fangen wir mit {t} an.", "Für {t} würde ich etwa {n} Stunden einplanen.",
            "Am einfachsten teilst du {t} auf.",
            "Das hängt davon ab, wer {t} später benutzt.", "Überprüfe zuerst {t}, dann den Rest.",
            "Hier ist ein kürzerer Vorschlag für {t}.", "Ein häufiger Fehler: {t} wird zu spät geprüft.",
            "Ja, {t} lässt sich rückgängig machen.", "Größere Änderungen an {t} würde ich ankündigen.",
            "Dazu weiß ich über {t} leider zu wenig.",
        ])

    static let french = Phrases(
        topics: [
            "le dossier d'inscription", "la réunion de lundi", "un dîner à la maison", "le contrat",
            "la page d'accueil",
            "le train de nuit", "une lettre de motivation", "le budget", "la recette de grand-mère",
        ],
        questions: [
            "Peux-tu m'aider avec {t} ?", "Combien de temps faut-il pour {t} ?", "Je ne comprends pas bien {t}.",
            "Écris {n} phrases sur {t}, s'il te plaît.", "Qu'est-ce qui manque encore pour {t} ?",
            "Et si on oubliait {t} ?", "Résume {t} en une ligne.", "Est-ce que {n} jours suffisent pour {t} ?",
        ],
        answers: [
            "Bien sûr, commençons par {t}.", "Je prévoirais environ {n} heures pour {t}.",
            "Le plus simple est de diviser {t} en étapes.",
            "Cela dépend de l'usage de {t}.", "Vérifie d'abord {t}, puis le reste.",
            "Voici une version plus courte de {t}.",
            "Là, je ne sais pas assez de choses sur {t}.", "Garde une copie avant de modifier {t}.",
        ])

    static let spanish = Phrases(
        topics: [
            "el informe anual", "la mudanza", "una receta de lentejas", "el viaje a Perú", "la entrevista", "el huerto",
            "la factura de la luz", "el código del profesor", "la reunión",
        ],
        questions: [
            "¿Me ayudas con {t}?", "¿Cuánto se tarda en {t}?", "No entiendo bien {t}.",
            "Escribe {n} frases sobre {t}, por favor.",
            "¿Qué falta todavía para {t}?", "¿Hay una forma más sencilla de hacer {t}?", "Resume {t} en una línea.",
            "¿Bastan {n} días para {t}?",
        ],
        answers: [
            "Claro, empecemos por {t}.", "Yo reservaría unas {n} horas para {t}.",
            "Lo más fácil es dividir {t} en partes.",
            "Depende de quién use {t}.", "Primero revisa {t}; después, lo demás.",
            "Aquí tienes una versión más corta de {t}.",
            "Mañana lo verás de otra manera: deja {t} por hoy.", "No sé lo suficiente sobre {t}.",
        ])

    static let portuguese = Phrases(
        topics: [
            "o relatório", "a viagem a Coimbra", "a reunião de equipa", "o pão caseiro", "a senha perdida",
            "o orçamento",
        ],
        questions: [
            "Podes ajudar-me com {t}?", "Quanto tempo demora {t}?", "Não percebo bem {t}.",
            "Escreve {n} frases sobre {t}.",
            "O que falta para {t}?", "São precisos {n} dias para {t}?",
        ],
        answers: [
            "Claro, vamos começar por {t}.", "Reservava umas {n} horas para {t}.", "O melhor é dividir {t} em partes.",
            "Depende de quem usa {t}.", "Aqui está uma versão mais curta de {t}.",
            "Guarda uma cópia antes de mudar {t}.",
        ])

    static let russian = Phrases(
        topics: [
            "отчёт за квартал", "поездка в Казань", "новый сайт", "пирог с капустой", "ремонт кухни", "письмо коллегам",
        ],
        questions: [
            "Помоги, пожалуйста: {t}.", "Сколько времени займёт {t}?", "Я не совсем понимаю, что такое {t}.",
            "Напиши {n} предложений на тему: {t}.", "Чего ещё не хватает? {t} почти готово.", "Хватит ли {n} дней?",
            "Почему опять откладывается {t}?",
        ],
        answers: [
            "Конечно, начнём с простого: {t}.", "Я бы заложил около {n} часов.", "Проще всего разбить это на части.",
            "Зависит от того, кому нужно: {t}.", "Сначала проверьте, готово ли {t}.", "Вот более короткий вариант.",
            "Сохраните копию, прежде чем менять {t}.",
        ])
}
